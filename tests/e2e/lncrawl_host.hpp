#pragma once

#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <Poco/Base64Encoder.h>
#include <Poco/JSON/Array.h>
#include <Poco/JSON/Object.h>
#include <Poco/JSON/Parser.h>
#include <Poco/JSON/Stringifier.h>

#include "e2e/host_process.hpp"
#include "e2e/novel_site.hpp"

namespace jobhost::e2e {

namespace fs = std::filesystem;
using Object = Poco::JSON::Object::Ptr;

inline std::string jsonOf(const Poco::Dynamic::Var& value) {
  std::ostringstream out;
  Poco::JSON::Stringifier::stringify(value, out);
  return out.str();
}

/// What is sent; `text` goes in as it is, so it must need no escape.
inline std::string bodyOf(const std::string& member, const std::string& text, const std::string& more = {}) {
  return "{\"" + member + "\":\"" + text + "\"" + more + "}";
}
inline std::string listOf(const std::vector<std::string>& texts) {
  std::string all;
  for (const auto& text : texts) all += (all.empty() ? "\"" : ",\"") + text + "\"";
  return "[" + all + "]";
}

inline std::int64_t number(const Object& object, const std::string& name) {
  if (!object || !object->has(name) || object->isNull(name)) return -1;
  return object->get(name).convert<std::int64_t>();
}
inline bool isTrue(const Object& object, const std::string& name) {
  return object && object->has(name) && !object->isNull(name) && object->get(name).convert<bool>();
}
/// extra.<name> as text.
inline std::string extra(const Object& job, const std::string& name) {
  return job ? text(job->getObject("extra"), name) : std::string();
}

/// One user of the dialect, with a token of his.
class Caller {
 public:
  Caller(const HostProcess& host, std::string authorization, std::string token = {}, std::string id = {})
      : host_(&host), authorization_(std::move(authorization)), token_(std::move(token)), id_(std::move(id)) {}

  Answer get(const std::string& path) const { return send("GET", path, {}); }
  Answer post(const std::string& path, const std::string& body = {}) const { return send("POST", path, body); }
  Answer remove(const std::string& path) const { return send("DELETE", path, {}); }
  Answer send(const std::string& method, const std::string& path, const std::string& body) const {
    return host_->request(method, path, body, {{"Authorization", authorization_}});
  }
  /// The file behind `/static/`.
  Answer file(const std::string& name) const {
    return host_->request("GET", "/static/" + name + "?token=" + token_, {}, {{"Authorization", "none"}});
  }

  /// The object that a 200 brings; an empty one otherwise, which is a failure.
  Object object(const std::string& path) const { return checked(get(path), path); }
  Object created(const std::string& route, const std::string& body) const {
    return checked(post("/api/job/create/" + route, body), route + " " + body);
  }
  Object job(const std::string& id) const { return object("/api/job/" + id); }
  /// The array that a 200 brings, or the `items` of a page.
  std::vector<Object> list(const std::string& path) const {
    const auto answer = get(path);
    EXPECT_EQ(answer.status, 200) << path << "\n" << answer.body;
    if (answer.status != 200) return {};
    const auto parsed = Poco::JSON::Parser().parse(answer.body);
    Poco::JSON::Array::Ptr items;
    if (parsed.type() == typeid(Poco::JSON::Array::Ptr)) {
      items = parsed.extract<Poco::JSON::Array::Ptr>();
    } else {
      items = parsed.extract<Object>()->getArray("items");
    }
    std::vector<Object> all;
    for (unsigned i = 0; items && i < items->size(); ++i) all.push_back(items->getObject(i));
    return all;
  }
  std::vector<Object> children(const std::string& id) const { return list("/api/jobs?limit=100&parent_job_id=" + id); }
  /// A job and all below it.
  std::vector<Object> tree(const std::string& id) const {
    std::vector<Object> all{job(id)};
    for (std::size_t at = 0; at < all.size(); ++at) {
      for (auto& child : children(text(all[at], "id"))) all.push_back(child);
    }
    return all;
  }
  /// The job once it is done.
  Object ended(const std::string& id, std::chrono::seconds within = std::chrono::seconds(120)) const {
    Object last;
    EXPECT_TRUE(HostProcess::eventually(
        [&] {
          const auto answer = get("/api/job/" + id);
          last = answer.status == 200 ? answer.json() : Object();
          return isTrue(last, "is_done");
        },
        within))
        << id << " did not end: " << (last ? jsonOf(last) : "none");
    return last ? last : Object(new Poco::JSON::Object);
  }

  [[nodiscard]] const std::string& token() const { return token_; }
  [[nodiscard]] const std::string& id() const { return id_; }

 private:
  static Object checked(const Answer& answer, const std::string& what) {
    EXPECT_EQ(answer.status, 200) << what << "\n" << answer.body;
    const auto object = answer.status == 200 ? answer.json() : Object();
    return object ? object : Object(new Poco::JSON::Object);
  }

  const HostProcess* host_;
  std::string authorization_, token_, id_;
};

/// A host with the plugins of this dialect, a site to read and a spec for it.
class LncrawlHost : public testing::Test {
 protected:
  void start(std::vector<std::string> settings = {}) {
    fs::create_directories(sources());
    if (!fs::exists(sources() / "127.0.0.1.yaml")) spec("127.0.0.1", site_.bookSpec());
    settings.insert(settings.begin(),
                    {"lncrawl.enabled=true", "http.allow_private=true", "lncrawl.dir=" + library().string(),
                     "lncrawl.sources=" + sources().string(), "plugin.org.jobhost.fetch-novel.gap_ms=0"});
    host_ = std::make_unique<HostProcess>(HostProcess::Options{
        .data = folder_ / "data", .plugins = {JOBHOST_PLUGIN_DIR}, .set = std::move(settings), .wrapper = {}});
    again();
  }
  /// The host after its end.
  void again() {
    ASSERT_TRUE(host_->start()) << host_->log();
    for (const char* type : {"full_novel", "artifact_batch"}) {
      ASSERT_TRUE(HostProcess::eventually([&] {
        return host_->get(std::string("/api/v1/job-types/") + type).status == 200;
      })) << type
          << host_->get("/api/v1/plugins").body;
    }
  }
  void TearDown() override {
    if (!host_ || host_->pid() <= 0 || HasFatalFailure()) return;
    EXPECT_EQ(host_->stop(), 0);
    EXPECT_TRUE(HostProcess::eventually([&] { return host_->otherProcesses().empty(); }));
  }

  [[nodiscard]] fs::path library() const { return folder_ / "library"; }
  [[nodiscard]] fs::path sources() const { return folder_ / "sources"; }
  void spec(const std::string& host, const std::string& text) const {
    fs::create_directories((sources() / (host + ".yaml")).parent_path());
    std::ofstream(sources() / (host + ".yaml")) << text;
  }

  Answer open(const std::string& method, const std::string& path, const std::string& body = {}) const {
    return host_->request(method, path, body, {{"Authorization", "none"}});
  }
  [[nodiscard]] std::string adminPassword() const {
    std::ifstream in(folder_ / "data" / "keys" / "admin.password");
    std::string password;
    in >> password;
    return password;
  }
  Caller login(const std::string& name, const std::string& password) const {
    const auto answer =
        open("POST", "/api/auth/login", R"({"email":")" + name + R"(","password":")" + password + R"("})");
    EXPECT_EQ(answer.status, 200) << answer.body;
    const auto said = answer.status == 200 ? answer.json() : Object();
    if (!said) return {*host_, "none"};
    const auto token = text(said, "token");
    return {*host_, "Bearer " + token, token, text(said->getObject("user"), "id")};
  }
  Caller admin() const { return login("admin", adminPassword()); }
  /// Tiers are 0 BASIC, 1 PREMIUM, 2 VIP.
  Caller user(const std::string& name, int tier) const {
    const std::string password = "a password of " + name;
    const auto made = host_->post("/api/v1/users", R"({"name":")" + name + R"(","password":")" + password +
                                                       R"(","role":"user","tier":)" + std::to_string(tier) + "}");
    EXPECT_EQ(made.status, 201) << made.body;
    return login(name, password);
  }

  /// One volume of so many chapters at /book/1/.
  NovelSite::Book book(const std::vector<std::string>& names) const {
    NovelSite::Book made;
    for (const auto& name : names) {
      made.chapters.push_back({name, "The " + name + " of it", "<p>This is what " + name + " tells.</p>"});
    }
    return made;
  }
  /// `full`, of /book/1/.
  std::string fetch(const Caller& caller, const std::string& path = "/book/1/", bool full = true) const {
    return text(caller.created("fetch-novel", bodyOf("url", site_.url(path), full ? ",\"full\":true" : "")), "id");
  }
  /// The first job of this type below another (in the order of tree()).
  static Object ofType(const std::vector<Object>& jobs, int type) {
    for (const auto& job : jobs) {
      if (number(job, "type") == type) return job;
    }
    return new Poco::JSON::Object;
  }
  static std::vector<Object> allOfType(const std::vector<Object>& jobs, int type) {
    std::vector<Object> all;
    for (const auto& job : jobs) {
      if (number(job, "type") == type) all.push_back(job);
    }
    return all;
  }
  /// The job's counters as "done/failed/total".
  static std::string units(const Object& job) {
    return std::to_string(number(job, "done")) + "/" + std::to_string(number(job, "failed")) + "/" +
           std::to_string(number(job, "total"));
  }
  /// No counter of the tree is beyond its total; of one that has ended well, total is all there is.
  static void expectCountersHold(const std::vector<Object>& jobs) {
    for (const auto& job : jobs) {
      EXPECT_LE(number(job, "done"), number(job, "total")) << jsonOf(job);
      EXPECT_LE(number(job, "failed"), number(job, "done")) << jsonOf(job);
      EXPECT_GE(number(job, "total"), 1) << jsonOf(job);
      if (number(job, "status") == 2) {
        EXPECT_EQ(number(job, "done"), number(job, "total")) << jsonOf(job);
      }
    }
  }

  /// What a program prints; `status` gets how it ended.
  static std::string said(const std::string& command, int* status = nullptr) {
    std::FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
    if (pipe == nullptr) return "cannot run " + command;
    std::string all;
    std::vector<char> chunk(64 * 1024);
    for (std::size_t got = 0; (got = std::fread(chunk.data(), 1, chunk.size(), pipe)) > 0;) {
      all.append(chunk.data(), got);
    }
    const int ended = ::pclose(pipe);
    if (status != nullptr) *status = ended;
    return all;
  }
  /// A downloaded book as a file.
  [[nodiscard]] fs::path kept(const std::string& name, const std::string& bytes) const {
    const auto path = folder_ / name;
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }
  static std::string entry(const fs::path& zip, const std::string& name) {
    return said("bsdtar -xOf '" + zip.string() + "' '" + name + "'");
  }

  TempFolder folder_;
  NovelSite site_;
  std::unique_ptr<HostProcess> host_;
};

}  // namespace jobhost::e2e
