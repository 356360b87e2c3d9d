// Trees in brackets, as the Stanford Sentiment Treebank has them: (3 (2 It) (4 (2 is) (4 lovely))).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tapir/data/dataset.h"

namespace tapir::data::datasets {

/// A parse tree. Its nodes lie in an array, children before their parents and the root last, so that a loop
/// over them computes bottom-up without recursion.
class TAPIR_API Tree {
 public:
  struct Node {
    int64_t label = 0;
    std::string word;               ///< of a leaf; empty for the others
    std::vector<int64_t> children;  ///< indices of nodes, from left to right
    bool is_leaf() const { return children.empty(); }
  };
  /// Of one tree in brackets; a node is (label word) or (label tree tree ...), of any depth. Throws
  /// ValueError, which names the character, where it is none.
  static Tree parse(std::string_view text);
  const std::vector<Node>& nodes() const { return nodes_; }
  /// Throws ValueError for a default-made tree, which has no nodes.
  const Node& root() const;
  /// Of the root.
  int64_t label() const { return root().label; }
  /// Of the leaves, from left to right.
  std::vector<std::string> words() const;
  /// In brackets again.
  std::string str() const;

 private:
  std::vector<Node> nodes_;
};

/// A file of trees, one to a line, such as train.txt of the Stanford Sentiment Treebank. An example is the
/// tree and its root's label, () int64. Lines without text are left out. Copies share the trees.
class TAPIR_API Trees : public Dataset<Trees, Example<Tree, Tensor>> {
 public:
  /// Throws IOError, which names file and line, where the file cannot be read, a line is no tree or a label
  /// is not in [0, labels).
  explicit Trees(const std::string& path, int64_t labels = 5);
  /// Throws IndexError.
  Example<Tree, Tensor> get(size_t index) override;
  std::optional<size_t> size() const override { return trees_->size(); }
  /// Throws IndexError. Without the copy that get makes.
  const Tree& tree(size_t index) const;
  /// Every word once, in the order in which they come: what WordVocabulary takes.
  std::vector<std::string> words() const;

 private:
  std::shared_ptr<const std::vector<Tree>> trees_;
};

}  // namespace tapir::data::datasets
