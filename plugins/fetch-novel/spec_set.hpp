#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fetch-novel/spec.hpp"

namespace jobhost::novel {

/// Where specs come from. Paths are relative with '/': "specs/example.org.yaml", "base/madara.yaml",
/// "example.org.json".
class SpecFiles {
 public:
  virtual ~SpecFiles() = default;
  [[nodiscard]] virtual std::vector<std::string> list() const = 0;
  /// nullopt: no such file, or it cannot be read.
  [[nodiscard]] virtual std::optional<std::string> read(const std::string& path) const = 0;
};

/// The host that a spec's file is named after: "example.org" of "specs/example.org.yaml".
std::string_view hostOfFile(std::string_view path);

/// A folder of .yaml, .yml and .json files. Nothing outside of it is read: links and ".." are refused.
class SpecFolder : public SpecFiles {
 public:
  explicit SpecFolder(std::string folder) : folder_(std::move(folder)) {}
  [[nodiscard]] std::vector<std::string> list() const override;
  [[nodiscard]] std::optional<std::string> read(const std::string& path) const override;
  /// Changes when a file comes, goes or is written: the sign to load again.
  [[nodiscard]] std::string stamp() const;

 private:
  std::string folder_;
};

/// All sources of a folder. Immutable once loaded; any thread. A broken spec costs only itself and those that extend
/// it.
class SpecSet {
 public:
  static SpecSet load(const SpecFiles& files);

  /// The source for a URL or host, disabled and refused ones too; nullptr: none is known.
  [[nodiscard]] std::shared_ptr<const Spec> find(std::string_view url) const;
  [[nodiscard]] const std::vector<SpecProblem>& problems() const { return problems_; }
  [[nodiscard]] const std::map<std::string, std::shared_ptr<const Spec>>& hosts() const { return hosts_; }

 private:
  std::map<std::string, std::shared_ptr<const Spec>> hosts_;
  std::vector<SpecProblem> problems_;
};

/// One spec with all it extends, for trying it out. nullptr with what is wrong in `problems`.
std::shared_ptr<const Spec> loadSpec(const SpecFiles& files, const std::string& path,
                                     std::vector<SpecProblem>& problems);

}  // namespace jobhost::novel
