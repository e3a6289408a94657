// What can be said of a plugin without running a byte of it.
#include <algorithm>
#include <filesystem>

#include "devtools/check.hpp"
#include "jobhost/abi.h"

namespace jobhost::devtools {
namespace {

constexpr std::uint64_t kLargeBytes = std::uint64_t{256} << 20;
constexpr std::string_view kAProgram = "it is a program; this is about libraries";

Finding note(Bench& bench) {
  if (!bench.subject.note_problem.empty()) return failed(bench.subject.note_problem);
  return passed();
}

Finding manifest(Bench& bench) {
  if (!bench.subject.note_problem.empty()) return skipped("there is no manifest to look at");
  if (!bench.subject.manifest_problems.empty()) return failed(joined(bench.subject.manifest_problems));
  return passed(bench.subject.manifest->id + " " + bench.subject.manifest->version);
}

Finding manifestLint(Bench& bench) {
  if (!bench.subject.manifest) return skipped("there is no manifest to look at");
  const auto& warnings = bench.subject.manifest->warnings;
  return warnings.empty() ? passed() : failed(joined(warnings));
}

Finding examplesFit(Bench& bench) {
  if (!bench.subject.manifest) return skipped("there is no manifest to look at");
  std::vector<std::string> wrong;
  const auto& types = bench.subject.manifest->types;
  std::size_t count = 0;
  for (std::size_t i = 0; i < types.size(); ++i) {
    for (const auto& example : bench.subject.examples(i)) {
      ++count;
      const auto checked = types[i].schema->check(example);
      if (checked) continue;
      const auto& fields = checked.error().fields;
      const std::string why = fields.empty() ? checked.error().message : fields[0].pointer + ": " + fields[0].message;
      wrong.push_back(types[i].info.name + ": " + why);
    }
  }
  if (!wrong.empty()) return failed("examples that the params schema refuses: " + joined(wrong));
  return passed(std::to_string(count) + " examples");
}

/// For the rules about the file: damaged ones are told once, by static.elf.
template <Finding (*kLook)(const ElfFile&, Bench&)>
Finding ofElf(Bench& bench) {
  if (!bench.subject.elf) return skipped("the file cannot be read as a library");
  return kLook(*bench.subject.elf, bench);
}

Finding elf(Bench& bench) {
  return bench.subject.elf ? passed() : failed(bench.subject.elf_problem);
}

Finding oneExport(const ElfFile& elf, Bench&) {
  std::vector<std::string> others;
  bool entry = false;
  for (const auto& name : elf.exports) {
    if (name.rfind("jobhost_plugin_entry_v", 0) == 0) {
      entry = true;
    } else if (!std::binary_search(elf.unique.begin(), elf.unique.end(), name)) {  // those are static.no-unique's
      others.push_back(name);
    }
  }
  if (!entry) return failed("it does not export " JH_ENTRY_SYMBOL);
  if (!others.empty()) {
    return failed("it also exports " + joined(others) +
                  ". Link with jobhost_add_plugin() or a version script, and -Wl,--exclude-libs,ALL.");
  }
  return passed();
}

Finding noHostImports(const ElfFile& elf, Bench&) {
  std::vector<std::string> wrong;
  for (const auto& name : elf.undefined) {
    if (name.rfind("jh_", 0) == 0 || name.rfind("jobhost_", 0) == 0) wrong.push_back(name);
  }
  if (!wrong.empty())
    return failed("it wants " + joined(wrong) + " from the host, which exports nothing. Link with -Wl,-z,defs.");
  return passed();
}

Finding librariesFound(const ElfFile& elf, Bench& bench) {
  const auto folders = librarySearchPath(elf, bench.subject.path.parent_path().string());
  std::vector<std::string> missing;
  for (const auto& name : elf.needed) {
    std::error_code error;
    bool found = name.find('/') != std::string::npos && std::filesystem::exists(name, error);
    for (const auto& folder : folders) found = found || std::filesystem::exists(folder + "/" + name, error);
    if (!found) missing.push_back(name);
  }
  if (!missing.empty())
    return failed(joined(missing) + " not found. Put it into lib/ beside the plugin, or name its package.");
  return passed(joined(elf.needed, 50));
}

Finding noTextRelocations(const ElfFile& elf, Bench&) {
  return elf.text_relocations ? failed("its code is written to at load (TEXTREL). Compile everything with -fPIC.")
                              : passed();
}

Finding noExecutableStack(const ElfFile& elf, Bench&) {
  if (!elf.stack_marked || elf.executable_stack) {
    return failed(
        "it asks for an executable stack. Link with -Wl,-z,noexecstack; assembler files need .note.GNU-stack.");
  }
  return passed();
}

Finding noWritableCode(const ElfFile& elf, Bench&) {
  return elf.writable_code ? failed("it has a segment that is writable and executable") : passed();
}

Finding noUnique(const ElfFile& elf, Bench&) {
  if (elf.unique.empty()) return passed();
  return failed("GNU_UNIQUE symbols keep it mapped for ever: " + joined(elf.unique) +
                ". Compile with -fno-gnu-unique.");
}

Finding noStaticTls(const ElfFile& elf, Bench&) {
  if (!elf.static_tls) return passed();
  return failed(
      "it needs room in the static TLS block (STATIC_TLS), which runs out. Do not use -ftls-model=initial-exec.");
}

Finding relro(const ElfFile& elf, Bench&) {
  return elf.relro ? passed() : failed("its tables stay writable. Link with -Wl,-z,relro.");
}

Finding bindsNow(const ElfFile& elf, Bench&) {
  return elf.binds_now ? passed() : failed("symbols are looked up at their first use. Link with -Wl,-z,now.");
}

Finding searchPath(const ElfFile& elf, Bench&) {
  std::vector<std::string> wrong;
  for (const auto& folder : elf.search) {
    if (folder.rfind("$ORIGIN", 0) != 0 && folder.rfind("${ORIGIN}", 0) != 0) wrong.push_back(folder);
  }
  if (wrong.empty()) return passed();
  return failed("its search path names folders of the machine it was built on: " + joined(wrong) +
                ". Use $ORIGIN/lib.");
}

Finding size(Bench& bench) {
  const auto bytes = bench.subject.size_bytes;
  const std::string is = std::to_string(bytes) + " bytes";
  if (bytes > kLargeBytes) return failed(is + ", which every host copies and hashes; at most 256 MiB");
  return passed(is);
}

}  // namespace

std::vector<Rule> staticRules() {
  return {
      {"static.elf", Level::Quick, false, "The file is an undamaged shared library", &elf, kAProgram},
      {"static.note", Level::Quick, false, "The manifest lies in the file where hosts read it", &note},
      {"static.manifest", Level::Quick, false, "The manifest and its schemas are right", &manifest},
      {"static.manifest-lint", Level::Standard, false, "The manifest has no word that nobody reads", &manifestLint},
      {"static.examples", Level::Standard, false, "Examples are valid against their params schema", &examplesFit},
      {"static.one-export", Level::Quick, false, "It exports its entry and nothing else", &ofElf<oneExport>, kAProgram},
      {"static.no-host-imports", Level::Quick, false, "It imports no symbol from the host", &ofElf<noHostImports>,
       kAProgram},
      {"static.libraries", Level::Quick, false, "The libraries it needs are there", &ofElf<librariesFound>, kAProgram},
      {"static.no-textrel", Level::Quick, false, "No text relocations", &ofElf<noTextRelocations>, kAProgram},
      {"static.no-exec-stack", Level::Quick, false, "No executable stack", &ofElf<noExecutableStack>, kAProgram},
      {"static.no-writable-code", Level::Quick, false, "No code that can be written to", &ofElf<noWritableCode>,
       kAProgram},
      {"static.no-unique", Level::Standard, false, "No GNU_UNIQUE symbols", &ofElf<noUnique>, kAProgram},
      {"static.no-static-tls", Level::Standard, false, "No static TLS", &ofElf<noStaticTls>, kAProgram},
      {"static.relro", Level::Standard, false, "Relocated tables become read-only", &ofElf<relro>, kAProgram},
      {"static.bind-now", Level::Standard, false, "Symbols are bound at load", &ofElf<bindsNow>, kAProgram},
      {"static.search-path", Level::Standard, false,
       "Libraries are looked for beside the plugin, not where it was built", &ofElf<searchPath>, kAProgram},
      {"static.size", Level::Standard, false, "The file is of reasonable size", &size},
  };
}

}  // namespace jobhost::devtools
