#include "support/html/parse.hpp"

#include <gumbo.h>

#include <csetjmp>
#include <cstdlib>
#include <optional>
#include <string>

#include "support/common/failure.hpp"

namespace jobhost::support::html {
namespace {

using Clock = std::chrono::steady_clock;

// Gumbo has no limits of its own, frees its tree by recursion and calls abort() on nothing. So all its memory comes
// from here: counted, watched by the clock, and freed as a list whether parsing ended or was left by longjmp. Between
// setjmp and longjmp there are only C frames.
struct Block {
  Block* prev;
  Block* next;
  std::size_t size;
  std::size_t padding;  // keeps what follows aligned for anything
};

struct Memory {
  Block head{&head, &head, 0, 0};
  std::size_t used = 0;
  std::size_t limit = 0;
  unsigned calls = 0;
  Clock::time_point deadline;
  const char* exceeded = nullptr;
  std::jmp_buf out;

  ~Memory() {
    while (head.next != &head) {
      Block* block = head.next;
      head.next = block->next;
      std::free(block);
    }
  }
};

void* allocate(void* userdata, std::size_t size) {
  auto& memory = *static_cast<Memory*>(userdata);
  if (size > memory.limit || memory.used > memory.limit - size) {
    memory.exceeded = "html.memory";
  } else if (++memory.calls % 256 == 0 && Clock::now() > memory.deadline) {
    memory.exceeded = "html.time";
  }
  if (memory.exceeded != nullptr) std::longjmp(memory.out, 1);
  auto* block = static_cast<Block*>(std::malloc(sizeof(Block) + size));
  if (block == nullptr) {
    memory.exceeded = "html.memory";
    std::longjmp(memory.out, 1);
  }
  *block = {&memory.head, memory.head.next, size, 0};
  block->next->prev = block;
  memory.head.next = block;
  memory.used += size + sizeof(Block);
  return block + 1;
}

void deallocate(void* userdata, void* pointer) {
  if (pointer == nullptr) return;
  auto& memory = *static_cast<Memory*>(userdata);
  Block* block = static_cast<Block*>(pointer) - 1;
  block->prev->next = block->next;
  block->next->prev = block->prev;
  memory.used -= block->size + sizeof(Block);
  std::free(block);
}

// Nothing with a destructor may live in here. nullptr: left by longjmp.
GumboOutput* runGumbo(Memory& memory, const GumboOptions& options, const char* data, std::size_t size) {
  if (setjmp(memory.out) != 0) return nullptr;
  return gumbo_parse_with_options(&options, data, size);
}

std::string lowered(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::string tagName(const GumboElement& element) {
  if (element.tag != GUMBO_TAG_UNKNOWN) return gumbo_normalized_tagname(element.tag);
  GumboStringPiece piece = element.original_tag;
  gumbo_tag_from_original_text(&piece);
  return lowered({piece.data, piece.length});
}

// Gumbo keeps text in a buffer until the next element begins or ends, but an end of a form does not write it out: what
// stands before it would land after the form. So a mark is put there that reads as a comment (a bogus one, which
// changes nothing inside of scripts, comments and attributes) and is taken out again while copying.
constexpr std::string_view kMark = "<?jh>";
constexpr std::string_view kMarkComment = "?jh";

bool isFormEnd(std::string_view text, std::size_t at) {
  constexpr std::string_view kEnd = "</form";
  if (text.size() - at < kEnd.size()) return false;
  for (std::size_t i = 0; i < kEnd.size(); ++i) {
    const char c = text[at + i];
    if ((c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c) != kEnd[i]) return false;
  }
  return true;
}

std::optional<std::string> withMarks(std::string_view text) {
  std::string out;
  std::size_t copied = 0;
  for (std::size_t at = text.find("</"); at != std::string_view::npos; at = text.find("</", at + 2)) {
    if (!isFormEnd(text, at)) continue;
    out += text.substr(copied, at - copied);
    out += kMark;
    copied = at;
  }
  if (copied == 0 && out.empty()) return std::nullopt;
  return out.append(text.substr(copied));
}

std::string withoutMarks(std::string text) {
  for (std::size_t at = text.find(kMark); at != std::string::npos; at = text.find(kMark, at))
    text.erase(at, kMark.size());
  return text;
}

class Copier {
 public:
  Copier(Document& document, const ParseLimits& limits) : document_(document), limits_(limits) {}

  // Recursion ends at the depth limit; below it the rest is walked level by level into the same parent.
  void children(const GumboVector& from, Node& to, std::size_t depth) {
    for (unsigned i = 0; i < from.length; ++i) {
      const auto* node = static_cast<const GumboNode*>(from.data[i]);
      switch (node->type) {
        case GUMBO_NODE_ELEMENT:
        case GUMBO_NODE_TEMPLATE:
          element(node->v.element, to, depth);
          break;
        case GUMBO_NODE_COMMENT:
          if (node->v.text.text != kMarkComment) add(to, NodeType::Comment, withoutMarks(node->v.text.text));
          break;
        case GUMBO_NODE_TEXT:
        case GUMBO_NODE_CDATA:
        case GUMBO_NODE_WHITESPACE:
          text(to, node->v.text.text);
          break;
        case GUMBO_NODE_DOCUMENT:
          break;
      }
    }
  }

 private:
  Node& add(Node& parent, NodeType type, std::string data) {
    if (document_.size() >= limits_.nodes) {
      throw Failure(FailureKind::Limit, "html.nodes",
                    "the page has more than " + std::to_string(limits_.nodes) + " nodes");
    }
    Node& node = document_.create(type, std::move(data));
    append(parent, node);
    return node;
  }

  void text(Node& parent, const char* content) {
    // Gumbo splits text at white space; a reader expects one node.
    std::string own = withoutMarks(content);
    if (parent.last != nullptr && parent.last->type == NodeType::Text) {
      parent.last->data += own;
    } else {
      add(parent, NodeType::Text, std::move(own));
    }
  }

  void element(const GumboElement& from, Node& to, std::size_t depth) {
    Node& node = add(to, NodeType::Element, tagName(from));
    node.attributes.reserve(from.attributes.length);
    for (unsigned i = 0; i < from.attributes.length; ++i) {
      const auto* attribute = static_cast<const GumboAttribute*>(from.attributes.data[i]);
      node.attributes.push_back({lowered(attribute->name), withoutMarks(attribute->value)});
    }
    if (depth < limits_.depth) {
      children(from.children, node, depth + 1);
    } else {
      flatten(from, to);
    }
  }

  void flatten(const GumboElement& from, Node& to) {
    struct Place {
      const GumboVector* nodes;
      unsigned next;
    };
    std::vector<Place> open{{&from.children, 0}};
    while (!open.empty()) {
      Place& place = open.back();
      if (place.next == place.nodes->length) {
        open.pop_back();
        continue;
      }
      const auto* node = static_cast<const GumboNode*>(place.nodes->data[place.next++]);
      if (node->type == GUMBO_NODE_ELEMENT || node->type == GUMBO_NODE_TEMPLATE) {
        add(to, NodeType::Element, tagName(node->v.element));
        open.push_back({&node->v.element.children, 0});
      } else if (node->type != GUMBO_NODE_COMMENT) {
        text(to, node->v.text.text);
      }
    }
  }

  Document& document_;
  const ParseLimits& limits_;
};

// Control characters and the like would become U+FFFD in gumbo's hands; they mean nothing, so they are left out.
// nullopt: there are none.
std::optional<std::string> withoutControls(std::string_view text) {
  const auto at = [text](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  std::string out;
  std::size_t copied = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const unsigned c = at(i);
    std::size_t size = 0;
    if ((c < 0x20 && c != '\t' && c != '\n' && c != '\f' && c != '\r') || c == 0x7F) {
      size = 1;
    } else if (c == 0xC2 && at(i + 1) >= 0x80 && at(i + 1) < 0xA0) {
      size = 2;
    } else if (c == 0xEF && at(i + 1) == 0xBF && (at(i + 2) == 0xBE || at(i + 2) == 0xBF)) {
      size = 3;
    }
    if (size == 0) continue;
    out += text.substr(copied, i - copied);
    copied = i + size;
    i = copied - 1;
  }
  if (copied == 0) return std::nullopt;
  return out.append(text.substr(copied));
}

// Throws Failure when it was left before its end.
const GumboOutput* checkedParse(Memory& memory, std::string_view utf8, const ParseLimits& limits) {
  memory.limit = limits.memory;
  memory.deadline = Clock::now() + limits.time;
  GumboOptions options = kGumboDefaultOptions;
  options.allocator = &allocate;
  options.deallocator = &deallocate;
  options.userdata = &memory;
  options.max_errors = 0;  // recording them copies the stack of open elements each time
  const GumboOutput* output = runGumbo(memory, options, utf8.data(), utf8.size());
  if (output == nullptr) {
    throw Failure(FailureKind::Limit, memory.exceeded,
                  std::string("the page is too costly to parse (") + memory.exceeded + ")");
  }
  return output;
}

void checkSize(std::string_view utf8, const ParseLimits& limits) {
  if (utf8.size() > limits.bytes) {
    throw Failure(FailureKind::Limit, "html.bytes",
                  "the page is larger than " + std::to_string(limits.bytes) + " bytes");
  }
}

}  // namespace

Document parse(std::string_view utf8, const ParseLimits& limits) {
  checkSize(utf8, limits);
  const std::optional<std::string> cleaned = withoutControls(utf8);
  if (cleaned) utf8 = *cleaned;
  const std::optional<std::string> marked = withMarks(utf8);
  if (marked) utf8 = *marked;
  if (utf8.empty()) utf8 = std::string_view("", 0);
  Memory memory;
  const GumboOutput* output = checkedParse(memory, utf8, limits);
  Document document;
  Copier(document, limits).children(output->document->v.document.children, document.root(), 1);
  return document;
}

// Not by gumbo's own way for fragments, which drops forms: the content of a body is the same but for that.
Document parseFragment(std::string_view utf8, const ParseLimits& limits) {
  checkSize(utf8, limits);
  const std::optional<std::string> cleaned = withoutControls(utf8);
  std::string page = "<!DOCTYPE html><body>";
  page += cleaned ? std::string_view(*cleaned) : utf8;
  if (auto marked = withMarks(page)) page = *std::move(marked);
  Memory memory;
  const GumboOutput* output = checkedParse(memory, page, limits);
  Document document;
  document.setFragment(true);
  const GumboVector& top = output->root->v.element.children;
  for (unsigned i = 0; i < top.length; ++i) {
    const auto* node = static_cast<const GumboNode*>(top.data[i]);
    if (node->type != GUMBO_NODE_ELEMENT || node->v.element.tag != GUMBO_TAG_BODY) continue;
    Copier(document, limits).children(node->v.element.children, document.root(), 1);
  }
  return document;
}

}  // namespace jobhost::support::html
