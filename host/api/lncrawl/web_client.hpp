#pragma once

#include <filesystem>
#include <string_view>
#include <utility>

#include "api/lncrawl/library_files.hpp"
#include "api/router.hpp"

namespace jobhost::api::lncrawl {

/// The built web client of lightnovel-crawler: a folder of files for browsers, and its page for every path that is none
/// of them, since the client finds its own way by the path. Open to everybody. Owns all paths but the APIs', those of
/// novels' files and what tells of the host's health; other surfaces are asked before it. Immutable; any thread.
class WebClient final : public Dialect {
 public:
  explicit WebClient(std::filesystem::path folder) : files_(std::move(folder)) {}

  [[nodiscard]] bool owns(std::string_view path) const override;
  Response handle(Request& request) override;
  [[nodiscard]] Response failure(const core::Error& error, int status) const override;

 private:
  ConfinedFolder files_;
};

}  // namespace jobhost::api::lncrawl
