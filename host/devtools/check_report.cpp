#include <sstream>

#include "devtools/check.hpp"

namespace jobhost::devtools {
namespace {

std::string xml(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out.push_back(static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t' ? ' ' : c);
    }
  }
  return out;
}

std::string seconds(core::Millis took) {
  std::ostringstream out;
  out << static_cast<double>(took.count()) / 1000.0;
  return out.str();
}

std::string list(const Json& words) {
  std::string text;
  for (const auto& word : words.items()) text += (text.empty() ? "" : ", ") + std::string(word.stringOr(""));
  return text.empty() ? "none" : text;
}

void libraryText(std::ostream& out, const Json& facts) {
  out << "\nneeds       " << list(facts["needed"]) << "\nversions    ";
  const auto& versions = facts["needed_versions"];
  for (std::size_t i = 0; i < versions.names().size(); ++i) {
    out << (i == 0 ? "" : ", ") << versions.names()[i] << ' ' << versions.items()[i].stringOr("");
  }
  out << "\nexports     " << list(facts["exports"]) << "\nhardening   ";
  const auto& hardening = facts["hardening"];
  for (std::size_t i = 0; i < hardening.names().size(); ++i) {
    out << (i == 0 ? "" : ", ") << hardening.names()[i] << (hardening.items()[i].boolOr(false) ? " yes" : " NO");
  }
  out << '\n';
}

void factsText(std::ostream& out, const Json& facts) {
  if (facts["needed"].isArray()) libraryText(out, facts);
  if (facts["files"].isArray()) out << "\nfiles       " << list(facts["files"]) << '\n';
  out << "size        " << facts["size_bytes"].intOr(0) << " bytes\n";
  for (const auto& denied : facts["denied"].items()) out << "denied      " << denied.stringOr("") << '\n';
}

}  // namespace

std::string reportText(const Subject& subject, const CheckReport& report, bool verbose) {
  std::ostringstream out;
  out << subject.path.string() << '\n';
  for (const auto& one : report.results) {
    if (!verbose && one.finding.verdict == Verdict::Passed) continue;
    const auto word = one.finding.verdict == Verdict::Passed   ? "ok  "
                      : one.finding.verdict == Verdict::Failed ? "FAIL"
                                                               : "skip";
    out << "  " << word << "  " << one.rule->id;
    if (!one.finding.text.empty()) out << ": " << one.finding.text;
    out << '\n';
  }
  factsText(out, report.facts);
  out << '\n'
      << report.count(Verdict::Passed) << " passed, " << report.count(Verdict::Failed) << " failed, "
      << report.count(Verdict::Skipped) << " skipped\n";
  return out.str();
}

std::string reportJson(const Subject& subject, const CheckReport& report) {
  Json rules = Json::array();
  for (const auto& one : report.results) {
    rules.push(Json{{"id", one.rule->id},
                    {"title", one.rule->title},
                    {"level", toString(one.rule->level)},
                    {"verdict", toString(one.finding.verdict)},
                    {"text", one.finding.text},
                    {"took_ms", one.took.count()}});
  }
  Json out{{"file", subject.path.string()},
           {"passed", report.count(Verdict::Passed)},
           {"failed", report.count(Verdict::Failed)},
           {"skipped", report.count(Verdict::Skipped)}};
  out.set("rules", std::move(rules)).set("facts", report.facts);
  return out.dump() + "\n";
}

std::string reportJunit(const Subject& subject, const CheckReport& report) {
  std::ostringstream out;
  core::Millis all{0};
  for (const auto& one : report.results) all += one.took;
  out << "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\""
      << xml(subject.path.filename().string()) << "\" tests=\"" << report.results.size() << "\" failures=\""
      << report.count(Verdict::Failed) << "\" skipped=\"" << report.count(Verdict::Skipped) << "\" errors=\"0\" time=\""
      << seconds(all) << "\">\n";
  for (const auto& one : report.results) {
    out << "    <testcase classname=\"" << xml(one.rule->group()) << "\" name=\"" << xml(one.rule->id) << "\" time=\""
        << seconds(one.took) << "\"";
    if (one.finding.verdict == Verdict::Passed) {
      out << "/>\n";
    } else {
      const char* tag = one.finding.verdict == Verdict::Failed ? "failure" : "skipped";
      out << "><" << tag << " message=\"" << xml(one.finding.text) << "\"/></testcase>\n";
    }
  }
  out << "  </testsuite>\n</testsuites>\n";
  return out.str();
}

std::string ruleListText() {
  std::ostringstream out;
  for (const auto& rule : allRules()) {
    out << rule.id << std::string(rule.id.size() < 28 ? 28 - rule.id.size() : 1, ' ') << toString(rule.level)
        << std::string(10 - toString(rule.level).size(), ' ') << rule.title;
    if (!rule.not_yet.empty()) out << " (skipped: " << rule.not_yet << ')';
    out << '\n';
  }
  return out.str();
}

std::string ruleListJson() {
  Json all = Json::array();
  for (const auto& rule : allRules()) {
    Json one{{"id", rule.id}, {"level", toString(rule.level)}, {"title", rule.title}};
    if (!rule.not_yet.empty()) one.set("skipped", rule.not_yet);
    if (!rule.library_only.empty()) one.set("libraries_only", rule.library_only);
    all.push(std::move(one));
  }
  return all.dump() + "\n";
}

}  // namespace jobhost::devtools
