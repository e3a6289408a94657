#include "settings/documents.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "settings/config_file.hpp"

namespace jobhost::settings {
namespace {

std::string repositoryFile(const std::string& name) {
  std::ifstream in(std::string(JOBHOST_SOURCE_DIR) + "/" + name, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST(SettingsDocuments, ConfigurationPageIsWhatTheRowsSay) {
  EXPECT_EQ(repositoryFile("docs/configuration.md"), configurationMarkdown())
      << "make it anew: jobhost config docs > docs/configuration.md";
}

TEST(SettingsDocuments, ExampleFileIsWhatTheRowsSay) {
  EXPECT_EQ(repositoryFile("config/jobhost.example.toml"), exampleToml())
      << "make it anew: jobhost config example > config/jobhost.example.toml";
}

TEST(SettingsDocuments, ExampleUncommentedIsAConfigOfDefaults) {
  std::istringstream lines(exampleToml());
  std::string uncommented;
  for (std::string line; std::getline(lines, line);) {
    const auto equals = line.find(" = ");
    const auto name = line.substr(0, equals);
    const bool assignment =
        equals != std::string::npos && name.rfind("# ", 0) == 0 && name.find(' ', 2) == std::string::npos;
    if (line.rfind("# [", 0) == 0) break;  // the free-form sections
    uncommented += (assignment ? line.substr(2) : line) + "\n";
  }
  const auto entries = parseConfig(uncommented);
  ASSERT_TRUE(entries.ok()) << entries.error().message;
  EXPECT_EQ(entries->size(), rows().size());
  const Settings defaults;
  for (const auto& entry : *entries) {
    const Row* row = findRow(entry.path.at(0) + "." + entry.path.at(1));
    ASSERT_NE(row, nullptr);
    Settings copy;
    ASSERT_TRUE(entry.value && assign(*row, copy, *entry.value).ok()) << row->key;
    EXPECT_EQ(valueText(*row, copy), valueText(*row, defaults));
  }
}

}  // namespace
}  // namespace jobhost::settings
