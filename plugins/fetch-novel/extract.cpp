#include "fetch-novel/extract.hpp"

#include <algorithm>

#include "fetch-novel/utf8.hpp"
#include "support/html/parse.hpp"

namespace jobhost::novel {
namespace {

namespace html = support::html;

constexpr std::size_t kRows = 100'000;
const std::string kNone;

Value fromJson(const Data* data) {
  if (data == nullptr || data->isNull()) return {};
  if (data->isList()) {
    std::vector<Value> items;
    for (const Data& item : data->items)
      items.push_back(Value::ofText(item.isMap() || item.isList() ? toJson(item) : item.scalarText()));
    return Value::ofList(std::move(items));
  }
  return Value::ofText(data->isMap() ? toJson(*data) : data->scalarText());
}

std::string allText(const html::Node& node) {
  std::string out;
  html::appendAllText(node, out);
  return out;
}

class Extraction {
 public:
  Extraction(const Extractor& what, const Scope& scope, const Template::Values& values)
      : what_(what), scope_(scope), values_(values) {}

  Value value() {
    Value out = withAttr(source());
    if (!out.isEmpty() || what_.text) out = runPipe(std::move(out), effectivePipe(out));
    if (isNothing(out) && what_.has_default) {
      std::vector<Value> items;
      for (const std::string& text : what_.otherwise) items.push_back(Value::ofText(text));
      out = items.size() == 1 ? std::move(items.front()) : Value::ofList(std::move(items));
    }
    if (what_.kind == FieldKind::Url) out = resolved(std::move(out));
    for (std::size_t i = 0; isNothing(out) && i < what_.fallback.size(); ++i)
      out = Extraction(what_.fallback[i], scope_, values_).value();
    return out;
  }

 private:
  static bool isNothing(const Value& value) {
    return value.isEmpty() ||
           (value.kind == Value::Kind::List &&
            std::all_of(value.items.begin(), value.items.end(), [](const Value& item) { return item.isEmpty(); }));
  }

  [[nodiscard]] const std::shared_ptr<html::Document>& tree() const {
    return scope_.node != nullptr ? scope_.tree : scope_.page->html();
  }
  [[nodiscard]] html::Node* node() const { return scope_.node != nullptr ? scope_.node : &scope_.page->html()->root(); }

  std::vector<html::Node*> selected() const {
    if (scope_.row != nullptr) return {};  // JSON has no elements
    return what_.css->select(*tree(), *node(), what_.all ? kRows : 1);
  }

  Value source() {
    if (what_.text) return Value::ofText(what_.text->render(values_));
    if (!what_.header.empty()) {
      const std::string value = scope_.page->header(asciiLower(what_.header));
      return value.empty() ? Value{} : Value::ofText(value);
    }
    if (what_.css && !what_.json && what_.regex == nullptr) return elements();
    if (what_.json) return fromPath();
    if (what_.regex != nullptr) return fromPattern();
    if (scope_.row != nullptr) return fromJson(scope_.row);
    return Value::ofNode(tree(), node());
  }

  Value elements() {
    std::vector<Value> items;
    for (html::Node* found : selected()) items.push_back(Value::ofNode(tree(), found));
    return listOrFirst(std::move(items));
  }

  Value listOrFirst(std::vector<Value> items) const {
    if (what_.all) return Value::ofList(std::move(items));
    return items.empty() ? Value{} : std::move(items.front());
  }

  Value fromPath() {
    if (!what_.css) {
      const Data* data = scope_.row != nullptr ? scope_.row : scope_.page->json();
      return data == nullptr ? Value{} : fromJson(atPath(*data, *what_.json));
    }
    std::vector<Value> items;
    for (const html::Node* found : selected()) {
      DataError ignored;
      const auto data = parseJson(trimmed(allText(*found)), ignored);
      Value one = data ? fromJson(atPath(*data, *what_.json)) : Value{};
      if (what_.all && one.kind == Value::Kind::List) {
        std::move(one.items.begin(), one.items.end(), std::back_inserter(items));
      } else {
        items.push_back(std::move(one));
      }
    }
    return listOrFirst(std::move(items));
  }

  Value fromPattern() {
    std::vector<Value> items;
    const auto read = [&](const std::string& text) {
      if (what_.all) {
        for (std::string& found : what_.regex->searchAll(text)) items.push_back(Value::ofText(std::move(found)));
      } else if (auto found = what_.regex->search(text)) {
        items.push_back(Value::ofText(*std::move(found)));
      }
    };
    if (what_.css) {
      for (const html::Node* found : selected()) read(allText(*found));
    } else if (scope_.row != nullptr) {
      read(fromJson(scope_.row).asText());
    } else if (scope_.node != nullptr) {
      read(html::outerHtml(*scope_.node));
    } else {
      read(scope_.page->text());  // as it was sent: patterns read attributes and scripts
    }
    return listOrFirst(std::move(items));
  }

  static Value attribute(const Value& value, const std::vector<std::string>& names) {
    if (value.kind != Value::Kind::Node) return value;
    for (const std::string& name : names) {
      std::string text;
      if (name == "text")
        text = html::textOf(*value.node);
      else if (name == "html")
        text = html::innerHtml(*value.node);
      else if (name == "outer_html")
        text = html::outerHtml(*value.node);
      else if (const std::string* found = value.node->attribute(asciiLower(name)); found != nullptr)
        text = *found;
      if (!isBlank(text)) return Value::ofText(std::move(text));
    }
    return {};
  }

  Value withAttr(Value value) {
    const bool wants_node = !what_.pipe.empty() && takesNode(what_.pipe.front().op);
    if (wants_node && !what_.attr_declared) return value;
    if (value.kind != Value::Kind::List) return attribute(value, what_.attr);
    for (Value& item : value.items) item = attribute(item, what_.attr);
    return value;
  }

  // A default pipe for markup that is given text parses it first.
  Pipe effectivePipe(const Value& value) const {
    Pipe pipe = what_.pipe;
    const Value& first = value.kind == Value::Kind::List && !value.items.empty() ? value.items.front() : value;
    if (!what_.pipe_declared && !pipe.empty() && takesNode(pipe.front().op) && first.kind == Value::Kind::Text) {
      pipe.insert(pipe.begin(), Step{.op = StepOp::ParseHtml});
    }
    return pipe;
  }

  Value resolved(Value value) {
    if (value.kind == Value::Kind::List) {
      for (Value& item : value.items) item = resolved(std::move(item));
      return value;
    }
    if (value.isEmpty()) return {};
    std::string url = scope_.page->resolve(value.asText());
    return url.empty() ? Value{} : Value::ofText(std::move(url));
  }

  const Extractor& what_;
  const Scope& scope_;
  const Template::Values& values_;
};

// The rows of a list, before their fields are read.
std::vector<Scope> containers(const ItemList& list, const Page& page, std::vector<std::unique_ptr<Data>>& keep) {
  std::vector<Scope> out;
  if (!list.json) {
    for (html::Node* node : list.css->select(*page.html(), page.html()->root(), kRows))
      out.push_back({&page, page.html(), node, nullptr});
    return out;
  }
  std::vector<const Data*> found;
  if (list.script) {
    const auto& tree = page.html();
    for (const html::Node* script : list.script->select(*tree, tree->root(), 64)) {
      DataError ignored;
      auto data = parseJson(trimmed(allText(*script)), ignored);
      if (!data) continue;
      keep.push_back(std::make_unique<Data>(*std::move(data)));
      if (const Data* at = atPath(*keep.back(), *list.json); at != nullptr) found.push_back(at);
    }
  } else if (const Data* body = page.json(); body != nullptr) {
    if (const Data* at = atPath(*body, *list.json); at != nullptr) found.push_back(at);
  }
  for (const Data* data : found) {
    std::vector<const Data*> entries;
    if (data->isList()) {
      for (const Data& item : data->items) entries.push_back(&item);
    } else if (!data->isNull()) {
      entries.push_back(data);
    }
    for (const Data* entry : entries) {
      if (!list.css) {
        out.push_back({&page, nullptr, nullptr, entry});
      } else if (entry->isString()) {  // markup inside of JSON
        const auto tree = std::make_shared<html::Document>(html::parseFragment(entry->text));
        for (html::Node* node : list.css->select(*tree, tree->root(), kRows))
          out.push_back({&page, tree, node, nullptr});
      }
      if (out.size() > kRows) return out;
    }
  }
  return out;
}

}  // namespace

Value extract(const Extractor& extractor, const Scope& scope, const Template::Values& values) {
  try {
    return Extraction(extractor, scope, values).value();
  } catch (const support::Failure& failure) {
    throw CrawlError(CrawlError::Kind::Limit, extractor.where.text() + ": " + failure.what());
  }
}

const std::string& Row::get(std::string_view name) const {
  for (const auto& [key, value] : fields) {
    if (key == name) return value;
  }
  return kNone;
}

void Row::set(std::string_view name, std::string value) {
  for (auto& [key, old] : fields) {
    if (key == name) {
      old = std::move(value);
      return;
    }
  }
  fields.emplace_back(name, std::move(value));
}

Rows readRows(const ItemList& list, const Page& page, const std::vector<std::string>& needed,
              const Template::Values& values) {
  Rows out;
  std::vector<std::unique_ptr<Data>> keep;
  std::vector<Scope> scopes;
  try {
    scopes = containers(list, page, keep);
  } catch (const support::Failure& failure) {
    throw CrawlError(CrawlError::Kind::Limit, list.where.text() + ": " + failure.what());
  }
  if (scopes.size() > kRows)
    throw CrawlError(CrawlError::Kind::Limit, list.where.text() + ": more than " + std::to_string(kRows) + " rows");
  for (const Scope& scope : scopes) {
    Row row;
    row.node = scope.node;
    row.tree = scope.tree;
    const Template::Values with_row = [&](const Template::Part& part) {
      return part.group == "item" ? row.get(part.name) : values(part);
    };
    for (const Field& field : list.fields) {
      std::string text;
      if (field.text) {
        text = field.text->render(with_row);
        if (field.name == "url") text = page.resolve(withSingleSlashes(text));
      } else {
        const Value value = extract(*field.extractor, scope, with_row);
        const auto texts = value.asTexts();
        for (std::size_t i = 0; i < texts.size() && (i == 0 || field.extractor->all); ++i)
          text += (i > 0 ? ", " : "") + texts[i];
      }
      row.set(field.name, std::move(text));
    }
    const auto blank = [&](const std::string& name) { return isBlank(row.get(name)); };
    if (std::any_of(needed.begin(), needed.end(), blank) ||
        std::any_of(list.require.begin(), list.require.end(), blank)) {
      ++out.skipped;
    } else {
      out.rows.push_back(std::move(row));
    }
  }
  return out;
}

void sortRows(std::vector<Row>& rows, const ItemList& list) {
  if (!list.sort_by.empty()) {
    std::vector<std::pair<std::optional<double>, Row>> keyed;
    keyed.reserve(rows.size());
    for (Row& row : rows) {
      const auto key = firstNumber(row.get(list.sort_by));
      keyed.emplace_back(key, std::move(row));
    }
    std::stable_sort(keyed.begin(), keyed.end(), [](const auto& a, const auto& b) {
      if (!a.first || !b.first) return a.first.has_value() && !b.first.has_value();
      return *a.first < *b.first;
    });
    for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = std::move(keyed[i].second);
  }
  if (list.reverse) std::reverse(rows.begin(), rows.end());
}

}  // namespace jobhost::novel
