#include "tapir/data/datasets/trees.h"

#include <charconv>
#include <unordered_set>

#include "tapir/data/datasets/text_file.h"
#include "tapir/tensor/error_format.h"

namespace tapir::data::datasets {

Tree Tree::parse(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n\v\f", kEnds = " \t\r\n\v\f()";
  size_t at = 0;
  const auto fail = [&](const std::string& what) {
    if (at == text.size()) throw_error<ValueError>("Tree: {} at the end of \"{}\"", what, shown(text));
    throw_error<ValueError>("Tree: {} at character {}, where \"{}\" is", what, at + 1,
                            shown(text.substr(at, 20)));
  };
  const auto skip = [&] { at = std::min(text.find_first_not_of(kBlanks, at), text.size()); };
  const auto token = [&] {
    const size_t end = std::min(text.find_first_of(kEnds, at), text.size());
    const std::string_view t = text.substr(at, end - at);
    return t;
  };

  Tree tree;
  std::vector<Node> open;  // the path from the root
  skip();
  do {
    if (at < text.size() && text[at] == '(') {
      if (!open.empty() && !open.back().word.empty()) fail("got a tree beside a word");
      ++at;
      skip();
      const std::string_view label = token();
      Node node;
      const auto [end, error] = std::from_chars(label.data(), label.data() + label.size(), node.label);
      if (error != std::errc() || end != label.data() + label.size()) fail("expected a label, an integer,");
      at += label.size();
      open.push_back(std::move(node));
    } else if (open.empty()) {
      fail("expected \"(\"");
    } else if (at < text.size() && text[at] == ')') {
      Node node = std::move(open.back());
      if (node.is_leaf() && node.word.empty()) fail("expected a word or a tree");
      open.pop_back();
      if (!open.empty()) open.back().children.push_back(static_cast<int64_t>(tree.nodes_.size()));
      tree.nodes_.push_back(std::move(node));
      ++at;
    } else if (at == text.size()) {
      fail(fmt::format("expected {} more \")\"", open.size()));
    } else {
      if (!open.back().is_leaf() || !open.back().word.empty()) fail("expected \")\"");
      open.back().word = token();
      at += open.back().word.size();
    }
    skip();
  } while (!open.empty());
  if (at < text.size()) fail("expected the end of the line");
  return tree;
}

const Tree::Node& Tree::root() const {
  TAPIR_CHECK_AS(ValueError, !nodes_.empty(), "Tree: it has no nodes, so no root");
  return nodes_.back();
}

std::vector<std::string> Tree::words() const {
  std::vector<std::string> words;
  for (const Node& n : nodes_)
    if (n.is_leaf()) words.push_back(n.word);
  return words;
}

std::string Tree::str() const {
  std::string text;
  struct Place {
    int64_t node;
    size_t child = 0;
  };
  std::vector<Place> path{{static_cast<int64_t>(nodes_.size()) - 1}};
  while (!path.empty()) {
    Place& p = path.back();
    const Node& node = nodes_[static_cast<size_t>(p.node)];
    if (p.child == 0) text += fmt::format("({} {}", node.label, node.word);
    if (p.child == node.children.size()) {
      text += ')';
      path.pop_back();
    } else {
      if (p.child > 0) text += ' ';
      path.push_back({node.children[p.child++]});
    }
  }
  return text;
}

Trees::Trees(const std::string& path, int64_t labels) {
  const std::string file = read_text("Trees", path);
  auto trees = std::make_shared<std::vector<Tree>>();
  std::string_view text = file;
  for (int64_t line = 1; !text.empty(); ++line) {
    const std::string_view one = take_line(text);
    if (split_words(one).empty()) continue;
    const auto fail = [&](const std::string& what) {
      throw_error<IOError>("Trees: {}:{}: {}", path, line, what);
    };
    try {
      trees->push_back(Tree::parse(one));
    } catch (const ValueError& e) {
      fail(e.what());
    }
    for (const Tree::Node& n : trees->back().nodes())
      if (n.label < 0 || n.label >= labels)
        fail(fmt::format("got the label {}, expected one in [0, {})", n.label, labels));
  }
  trees_ = std::move(trees);
}

const Tree& Trees::tree(size_t index) const {
  TAPIR_CHECK_AS(IndexError, index < trees_->size(), "Trees: got index {}, expected one below {}", index,
                 trees_->size());
  return (*trees_)[index];
}

Example<Tree, Tensor> Trees::get(size_t index) {
  const Tree& t = tree(index);
  const Tensor label = Tensor::empty({}, kInt64);
  *label.data_ptr<int64_t>() = t.label();
  return {t, label};
}

std::vector<std::string> Trees::words() const {
  std::vector<std::string> words;
  std::unordered_set<std::string_view> seen;
  for (const Tree& t : *trees_)
    for (const Tree::Node& n : t.nodes())
      if (n.is_leaf() && seen.insert(n.word).second) words.push_back(n.word);
  return words;
}

}  // namespace tapir::data::datasets
