#include "tapir/autograd/dot.h"

#include <iterator>
#include <unordered_map>

#include "tapir/tensor/error_format.h"

namespace tapir::autograd {

namespace {

std::string escaped(const std::string& text) {
  std::string out;
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n')
      out += "\\n";
    else
      out += c;
  }
  return out;
}

std::string describe(const NodeOutput& o) { return fmt::format("{} {}", IntArrayRef(o.sizes), o.dtype); }

}  // namespace

std::string to_dot(const variable_list& outputs, const std::vector<std::pair<std::string, Tensor>>& names) {
  std::unordered_map<const Node*, std::string> name_of;
  for (const auto& [name, t] : names)
    if (const Edge e = gradient_edge(t); e.is_valid()) name_of.emplace(e.function.get(), name);

  std::string text = "digraph {\n  rankdir = TB;\n  node [fontsize = 10];\n";
  auto out = std::back_inserter(text);
  std::unordered_map<const Node*, size_t> number;
  std::vector<Node*> stack;
  const auto visit = [&](Node* n) {
    const auto [it, added] = number.try_emplace(n, number.size());
    if (added) stack.push_back(n);
    return it->second;
  };
  for (size_t i = 0; i < outputs.size(); ++i) {
    fmt::format_to(out, "  out{} [shape = plaintext, label = \"output{}\\n{} {}\"];\n", i,
                   outputs.size() > 1 ? fmt::format(" {}", i) : "", outputs[i].sizes(), outputs[i].dtype());
    if (const Edge e = gradient_edge(outputs[i]); e.is_valid())
      fmt::format_to(out, "  n{} -> out{};\n", visit(e.function.get()), i);
  }
  while (!stack.empty()) {
    Node* n = stack.back();
    stack.pop_back();
    const size_t id = number[n];
    const bool leaf = n->kind() == AutogradSlot::Kind::kLeaf;
    const auto name = name_of.find(n);
    std::string label = name != name_of.end() ? name->second : leaf ? "leaf" : "";
    if (!leaf) label += fmt::format("{}{}", label.empty() ? "" : "\n", n->name());
    for (const NodeOutput& o : n->outputs()) label += "\n" + describe(o);
    fmt::format_to(out, "  n{} [shape = {}, label = \"{}\"];\n", id, leaf ? "box" : "ellipse",
                   escaped(label));
    for (const Edge& e : n->edges()) {
      if (!e.is_valid()) continue;
      const bool several = e.function->outputs().size() > 1;
      fmt::format_to(out, "  n{} -> n{}{};\n", visit(e.function.get()), id,
                     several ? fmt::format(" [label = \"{}\"]", e.input_nr) : "");
    }
  }
  return text + "}\n";
}

}  // namespace tapir::autograd
