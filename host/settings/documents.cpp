#include "settings/documents.hpp"

#include "settings/rows.hpp"

namespace jobhost::settings {
namespace {

constexpr std::string_view kIntroduction = R"(# Configuration

This page is made from the settings table in `host/settings/rows.cpp` (`jobhost config docs`); a test compares them.

Values come from, later ones winning:

1. the defaults below;
2. the TOML file named by `--config FILE` (`config/jobhost.example.toml` has every key);
3. the environment: `server.port` is `JOBHOST_SERVER_PORT`; lists are split at commas;
4. the command line: `--set server.port=9000`, and the flags `--data`, `--plugins`, `--port`.

An unknown key or a value of the wrong type stops the start; the message names the key, the reason, the source and the
nearest known key. `jobhost config show` prints every value and where it came from.
)";

constexpr std::string_view kFree = R"(
## plugin

Free-form: what stands under `plugin.<id>` is given to the plugin with that id as its configuration (a JSON object),
beside `content_dir`, `thumb_dir`, `upload_dir` and `roots` from the section `content`, and `lncrawl_dir` and
`lncrawl_sources` from the section `lncrawl`. In the environment:
`JOBHOST_PLUGIN__<id>__<key>`; values that are JSON (numbers, true, lists) are taken as such.

```toml
[plugin.org.jobhost.thumbnail]
hq_page_thumbs = true
```

## secret

`secret.<plugin id>.<NAME>` is given to that plugin when its manifest asks for the name. Values are text and never
shown or logged. In the environment: `JOBHOST_SECRET__<id>__<NAME>`.

```toml
[secret.com.example.ocr]
API_TOKEN = "…"
```
)";

std::string escapedCell(std::string text) {
  for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2) text.replace(at, 1, "\\|");
  return text;
}

}  // namespace

std::string configurationMarkdown() {
  const Settings defaults;
  std::string out(kIntroduction);
  std::string_view section;
  for (const Row& row : rows()) {
    if (sectionOf(row.key) != section) {
      section = sectionOf(row.key);
      out += "\n## " + std::string(section) + "\n\n" + std::string(sectionHelp(section)) +
             "\n\n| key | default | unit | type | what it does |\n|---|---|---|---|---|\n";
    }
    out += "| `" + std::string(row.key) + "` | `" + valueText(row, defaults) + "` | " + std::string(row.unit) + " | " +
           typeText(row) + " | " + escapedCell(std::string(row.help)) + " |\n";
  }
  return out + std::string(kFree);
}

std::string exampleToml() {
  const Settings defaults;
  std::string out =
      "# jobhost: every key with its default. Uncomment what you change and start with\n"
      "#   jobhost serve --config jobhost.toml\n"
      "# docs/configuration.md explains where else values may come from.\n";
  std::string_view section;
  for (const Row& row : rows()) {
    if (sectionOf(row.key) != section) {
      section = sectionOf(row.key);
      out += "\n# " + std::string(sectionHelp(section)) + "\n[" + std::string(section) + "]\n";
    }
    out += "# " + std::string(row.help) + (row.unit.empty() ? "" : " [" + std::string(row.unit) + "]") + "\n# " +
           std::string(row.key.substr(section.size() + 1)) + " = " + valueText(row, defaults) + "\n";
  }
  out +=
      "\n# What stands here is given to the plugin with that id.\n"
      "# [plugin.org.jobhost.thumbnail]\n# hq_page_thumbs = true\n"
      "\n# Given to the plugin when its manifest asks for the name; never shown.\n"
      "# [secret.com.example.ocr]\n# API_TOKEN = \"…\"\n";
  return out;
}

}  // namespace jobhost::settings
