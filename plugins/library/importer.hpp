#pragma once

#include <jobhost/plugin.hpp>

#include <filesystem>
#include <optional>
#include <string>

#include "library/settings.hpp"
#include "library/shelf.hpp"

namespace jobhost::library {

/// A file that waits in the upload folder to be taken in.
struct Import {
  std::filesystem::path staged;  ///< absolute, below the upload folder
  std::string name;              ///< what it is to be called, as it was sent
  std::string category;          ///< empty: none
  std::string url;               ///< normalised, where it came from; empty: not from a URL
};

/// Takes archives into the content folder: id, record, move, cover, metadata plugins, category, as the Minion API knows
/// handle_upload; what download_url does once it has the file is the same.
///
/// The cover and the plugins are child jobs: run() suspends the job for them (it then throws Suspended) and goes on
/// when it is run again. A checkpoint says how far it came, so it also goes on after a crash, at most with the last
/// step done twice. Results have the contract's keys; reasons not to take a file are results with success 0.
class Importer {
 public:
  Importer(Job& job, const Settings& settings) : job_(job), settings_(settings), shelf_(job) {}

  /// What an earlier run of this job left to be finished: its result, once the children have ended. nullopt: nothing.
  std::optional<Json> resume();
  /// Takes the file in.
  Json run(const Import& what);

 private:
  struct State;

  static Json resultOf(const State& state, const std::string& message);
  Json refuse(State state, const std::string& message);
  Json dropRefused(const State& state) const;
  std::optional<std::string> inTheWay(const std::string& id, const std::string& name) const;
  Json move(State state, bool again);
  void removeReplaced(const State& state) const;
  void removeSecondCopy(const State& state) const;
  void forgetFile(const std::string& id, const State& state) const;
  bool record(const State& state) const;
  void startChildren(State& state);
  Json finish(State state);
  std::string addToCategory(const std::string& category, const std::string& id) const;
  void save(const State& state);

  Job& job_;
  const Settings& settings_;
  const Shelf shelf_;
};

/// The result of handle_upload; with `url` (not empty) that of download_url.
[[nodiscard]] Json importResult(const std::string& category, const std::string& id, const std::string& message,
                                bool success, const std::string& title, const std::string& url);

/// What a metadata plugin is asked with. `arg`: the one-shot argument, or null.
[[nodiscard]] Json metadataParams(const std::string& id, const Json& archive, const Json& arg);

/// How a child that is a plugin ended: its result and an empty error, or why not.
struct PluginEnd {
  Json data;
  std::string error;
};
[[nodiscard]] PluginEnd pluginEnd(const std::optional<Json>& child);

}  // namespace jobhost::library
