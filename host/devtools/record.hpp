#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "devtools/lab.hpp"
#include "devtools/subject.hpp"

namespace jobhost::devtools {

/// A job written down whole: what it was given and every answer the SDK gave it, so that it can be run again without
/// its inputs, its configuration and its host. Secrets are not in it. A file of JSON lines, mode 0600: the first is the
/// header, the others are those of docs/protocol.md, "Inspection".
struct Record {
  std::string type;
  std::string params;
  std::string plugin_id;
  std::string plugin_version;
  std::string config_json;
  struct Input {
    std::string name;
    std::string bytes;
  };
  std::vector<Input> inputs;
  std::vector<Json> calls;
};

/// Errors: TooLarge when the inputs have over 64 MiB, Unavailable when the file cannot be written.
core::Result<void> writeRecord(const std::filesystem::path& file, const Record& record);
/// Errors: NotFound, InvalidArgument saying what is wrong with it, TooLarge over 1 GiB.
core::Result<Record> readRecord(const std::filesystem::path& file);

/// The calls of a watched job as a trace that Perfetto and chrome://tracing show: one slice a call, one row a thread.
std::string chromeTrace(const std::string& plugin, const std::string& type, const std::vector<Json>& watched);

}  // namespace jobhost::devtools
