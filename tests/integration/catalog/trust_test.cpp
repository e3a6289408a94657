// Which plugin files may run: owners, pins, signatures and granted permissions, through the loader.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>

#include "catalog/minisign.hpp"
#include "catalog/plugin_loader.hpp"
#include "integration/catalog/plugin_files.hpp"

namespace jobhost::catalog {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;
using testing::HasSubstr;

std::string base64(const std::string& bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                   reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(size));
  return text;
}

/// A minisign key pair: what the tool's users keep to themselves.
class SigningKey {
 public:
  explicit SigningKey(const std::string& id) : id_(id) {
    EVP_PKEY_CTX* context = EVP_PKEY_CTX_new_id(EVP_PKEY_ED25519, nullptr);
    EVP_PKEY_keygen_init(context);
    EVP_PKEY_keygen(context, &key_);
    EVP_PKEY_CTX_free(context);
  }
  ~SigningKey() { EVP_PKEY_free(key_); }
  SigningKey(const SigningKey&) = delete;
  SigningKey& operator=(const SigningKey&) = delete;

  [[nodiscard]] std::string publicFile() const {
    std::string raw(32, '\0');
    std::size_t size = raw.size();
    EVP_PKEY_get_raw_public_key(key_, reinterpret_cast<unsigned char*>(raw.data()), &size);
    return "untrusted comment: minisign public key\n" + base64("Ed" + id_ + raw) + "\n";
  }
  [[nodiscard]] std::string sign(const std::string& content, bool prehashed = true) const {
    std::string message = content;
    if (prehashed) {
      message.assign(64, '\0');
      EVP_Digest(content.data(), content.size(), reinterpret_cast<unsigned char*>(message.data()), nullptr,
                 EVP_blake2b512(), nullptr);
    }
    const std::string signature = signed_(message);
    const std::string comment = "timestamp:1790000000\tfile:tiny.so";
    return "untrusted comment: signature\n" + base64((prehashed ? "ED" : "Ed") + id_ + signature) +
           "\ntrusted comment: " + comment + "\n" + base64(signed_(signature + comment)) + "\n";
  }

 private:
  [[nodiscard]] std::string signed_(const std::string& message) const {
    std::string signature(64, '\0');
    std::size_t size = signature.size();
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    EVP_DigestSignInit(context, nullptr, nullptr, nullptr, key_);
    EVP_DigestSign(context, reinterpret_cast<unsigned char*>(signature.data()), &size,
                   reinterpret_cast<const unsigned char*>(message.data()), message.size());
    EVP_MD_CTX_free(context);
    return signature;
  }
  std::string id_;
  EVP_PKEY* key_ = nullptr;
};

class TrustTest : public testing::Test {
 protected:
  TrustTest() {
    fs::create_directories(plugins());
    fs::create_directories(trustFolder());
    options_.folders = {plugins()};
    options_.store = folder_.path() / "store";
    options_.trust.folder = trustFolder();
  }
  [[nodiscard]] fs::path plugins() const { return folder_.path() / "plugins"; }
  [[nodiscard]] fs::path trustFolder() const { return folder_.path() / "trust.d"; }
  [[nodiscard]] fs::path file() const { return plugins() / "tiny.so"; }

  void start() {
    loader_.reset();
    catalog_ = std::make_unique<Catalog>();
    loader_ = std::make_unique<PluginLoader>(options_, *catalog_, probe_, clock_);
    loader_->start();
    settle();
  }
  void settle() {
    loader_->rescan();
    for (int i = 0; i < 6; ++i) {
      clock_.advance(300ms);
      loader_->step();
    }
  }
  void drop(const std::string& bytes) {
    install(file(), bytes);
    settle();
  }
  [[nodiscard]] std::string running() const {
    const auto found = catalog_->findType("tiny");
    return found && found->info.available ? found->generation->version : "none";
  }
  [[nodiscard]] std::string reason() const {
    for (const auto& row : catalog_->plugins()) {
      if (row.path == file() && row.state == GenerationState::Refused) return row.reason;
    }
    return {};
  }

  TempFolder folder_;
  core::ManualClock clock_{core::fromMicros(4'000'000'000'000'000)};  // all files are old
  FakeProbe probe_;
  LoaderOptions options_;
  std::unique_ptr<Catalog> catalog_;
  std::unique_ptr<PluginLoader> loader_;
};

TEST_F(TrustTest, AFileThatOthersMayWriteIsRefusedUntilItsModeIsMended) {
  start();
  install(file(), tinyPlugin());
  ::chmod(file().c_str(), 0666);
  settle();
  EXPECT_EQ(running(), "none");
  EXPECT_THAT(reason(), HasSubstr("the file may be written by everybody; chown root and chmod go-w it"));
  ::chmod(file().c_str(), 0644);
  settle();
  EXPECT_EQ(running(), "1.0.0");
}

TEST_F(TrustTest, AFolderThatOthersMayWriteIsRefused) {
  ::chmod(plugins().c_str(), 0777);
  start();
  drop(tinyPlugin());
  EXPECT_EQ(running(), "none");
  EXPECT_THAT(reason(), HasSubstr("its folder may be written by everybody"));
}

TEST_F(TrustTest, AFileOfAnotherUserIsRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "giving a file away needs root";
  start();
  install(file(), tinyPlugin());
  ASSERT_EQ(::chown(file().c_str(), 12345, 0), 0);
  settle();
  EXPECT_THAT(reason(), HasSubstr("belongs to user 12345, not to root or the host's user"));
  options_.trust.check_owner = false;
  start();
  EXPECT_EQ(running(), "1.0.0");
}

TEST_F(TrustTest, OnlyPinnedContentsRunWhereThereArePins) {
  start();
  drop(tinyPlugin());
  EXPECT_EQ(running(), "1.0.0");
  writeBytes(trustFolder() / "plugins.lock", "# ours\n" + sha256(tinyPlugin("1.1.0")) + "  test.tiny-a\n");
  settle();
  EXPECT_EQ(running(), "none") << "what runs was not pinned";
  EXPECT_THAT(reason(), HasSubstr("sha256 " + sha256(tinyPlugin()) + " is not in plugins.lock"));
  drop(tinyPlugin("1.1.0"));
  EXPECT_EQ(running(), "1.1.0");
  drop(tinyPlugin("1.2.0"));
  EXPECT_EQ(running(), "1.1.0") << "an unpinned file does not take the place of a pinned one";
  start();
  EXPECT_EQ(running(), "1.1.0") << "which goes on after a restart too";
}

TEST_F(TrustTest, APinForAnotherNameOrABrokenLockIsRefused) {
  writeBytes(trustFolder() / "plugins.lock", sha256(tinyPlugin()) + " *other.so\n");
  start();
  drop(tinyPlugin());
  EXPECT_THAT(reason(), HasSubstr("plugins.lock has its sha256 for \"other.so\""));
  writeBytes(trustFolder() / "plugins.lock", sha256(tinyPlugin()) + "  tiny.so\nnonsense\n");
  settle();
  EXPECT_EQ(running(), "none");
  EXPECT_THAT(reason(), HasSubstr("plugins.lock line 2: must be a SHA-256"));
  writeBytes(trustFolder() / "plugins.lock", sha256(tinyPlugin()) + "  ./build/tiny.so\n");
  settle();
  EXPECT_EQ(running(), "1.0.0");
}

TEST_F(TrustTest, UnsignedIsRefusedWhereSignaturesAreAskedFor) {
  const SigningKey ours("OURS0001");
  options_.trust.allow_unsigned = false;
  writeBytes(trustFolder() / "ours.pub", ours.publicFile());
  start();
  drop(tinyPlugin());
  EXPECT_EQ(running(), "none");
  EXPECT_THAT(reason(), HasSubstr("is not signed, and plugins.unsigned=deny"));
  writeBytes(file().string() + ".minisig", ours.sign(tinyPlugin()));
  loader_->touched(file().string() + ".minisig");
  settle();
  EXPECT_EQ(running(), "1.0.0");
  start();
  EXPECT_EQ(running(), "1.0.0");
}

TEST_F(TrustTest, TheOlderKindOfSignatureAndTheOtherEndingAreTaken) {
  const SigningKey ours("OURS0001");
  options_.trust.allow_unsigned = false;
  writeBytes(trustFolder() / "ours.pub", ours.publicFile());
  writeBytes(file().string() + ".sig", ours.sign(tinyPlugin(), false));
  start();
  drop(tinyPlugin());
  EXPECT_EQ(running(), "1.0.0");
}

TEST_F(TrustTest, ASignatureThatDoesNotFitIsRefusedEvenWhereNoneIsNeeded) {
  const SigningKey ours("OURS0001");
  writeBytes(trustFolder() / "ours.pub", ours.publicFile());
  writeBytes(file().string() + ".minisig", ours.sign(tinyPlugin("9.9.9")));
  start();
  drop(tinyPlugin());
  EXPECT_EQ(running(), "none");
  EXPECT_THAT(reason(), HasSubstr("tiny.so.minisig of key 313030305352554F: the signature does not fit the file"));
  auto comment = ours.sign(tinyPlugin());
  comment.replace(comment.find("1790000000"), 10, "1990000000");
  writeBytes(file().string() + ".minisig", comment);
  loader_->touched(file().string() + ".minisig");
  settle();
  EXPECT_THAT(reason(), HasSubstr("the signature's trusted comment was changed"));
}

/// The index names the content of before, of which there is a private copy but no signature any more.
TEST_F(TrustTest, AForgedIndexDoesNotMakeUnsignedContentRun) {
  const SigningKey ours("OURS0001");
  options_.trust.allow_unsigned = false;
  writeBytes(trustFolder() / "ours.pub", ours.publicFile());
  start();
  for (const char* version : {"1.0.0", "2.0.0"}) {
    writeBytes(file().string() + ".minisig", ours.sign(tinyPlugin(version)));
    drop(tinyPlugin(version));
    ASSERT_EQ(running(), version);
  }
  start();
  const auto index = options_.store / "index.json";
  forgeIndex(index, sha256(tinyPlugin("2.0.0")), sha256(tinyPlugin("1.0.0")));
  forgeIndex(index, "\"2.0.0\"", "\"1.0.0\"");
  const auto copy = catalog_->findType("tiny")->generation->private_path.parent_path().parent_path() /
                    ("1.0.0-" + sha256(tinyPlugin("1.0.0")).substr(0, 12));
  fs::create_directories(copy);
  writeBytes(copy / "test.tiny-a.so", tinyPlugin("1.0.0"));
  loader_.reset();
  catalog_ = std::make_unique<Catalog>();
  loader_ = std::make_unique<PluginLoader>(options_, *catalog_, probe_, clock_);
  loader_->start();
  EXPECT_EQ(running(), "none");
  settle();
  EXPECT_EQ(running(), "2.0.0");
}

TEST_F(TrustTest, AKeyThatIsTakenAwayTakesItsPluginsOut) {
  const SigningKey ours("OURS0001");
  const SigningKey theirs("THEIRS02");
  options_.trust.allow_unsigned = false;
  writeBytes(trustFolder() / "ours.pub", ours.publicFile());
  writeBytes(trustFolder() / "theirs.pub", theirs.publicFile());
  writeBytes(file().string() + ".minisig", theirs.sign(tinyPlugin()));
  start();
  drop(tinyPlugin());
  EXPECT_EQ(running(), "1.0.0");
  fs::remove(trustFolder() / "theirs.pub");
  settle();
  EXPECT_EQ(running(), "none");
  EXPECT_THAT(reason(), HasSubstr("is signed by key 3230535249454854, which is not in"));
  start();
  EXPECT_EQ(running(), "none") << "its private copy does not come back either";
}

TEST_F(TrustTest, PermissionsWaitForAGrantWhichLastsForTheSameOrLess) {
  const auto asking = [](const std::string& version, const std::string& wants) {
    const std::string place = "\"kv\":false      ";
    std::string instead = wants;
    instead.resize(place.size(), ' ');
    return patched(tinyPlugin(version), place, instead);
  };
  ASSERT_NE(asking("1.0.0", "\"kv\":true"), tinyPlugin());
  options_.trust.ask_permissions = true;
  start();
  drop(tinyPlugin());
  EXPECT_EQ(running(), "1.0.0") << "asks for nothing";
  drop(asking("1.1.0", "\"kv\":true"));
  EXPECT_EQ(running(), "1.0.0");
  EXPECT_THAT(reason(), HasSubstr("asks for permissions that are not granted: kv; grant them with: jobhost plugin "
                                  "grant test.tiny-a"));
  EXPECT_FALSE(loader_->grant("nobody"));
  EXPECT_TRUE(loader_->grant("test.tiny-a"));
  settle();
  EXPECT_EQ(running(), "1.1.0");
  drop(asking("1.2.0", "\"kv\":true"));
  EXPECT_EQ(running(), "1.2.0") << "no more than before";
  start();
  EXPECT_EQ(running(), "1.2.0");
  drop(asking("1.3.0", "\"net\":[\"a.b\"]"));
  EXPECT_EQ(running(), "1.2.0");
  EXPECT_THAT(reason(), HasSubstr("net: a.b (granted: kv)"));
}

TEST(Minisign, TakesWhatTheToolMakes) {
  const TempFolder folder;
  const std::string at = folder.path().string();
  writeBytes(folder.path() / "plugin.so", tinyPlugin());
  const std::string commands = "cd '" + at + "' && minisign -G -W -p k.pub -s k.sec >log 2>&1 && " +
                               "minisign -S -s k.sec -m plugin.so >>log 2>&1";
  ASSERT_EQ(std::system(commands.c_str()), 0) << readBytes(folder.path() / "log") << "(Debian: package minisign)";
  const auto key = parsePublicKey(readBytes(folder.path() / "k.pub"));
  const auto signature = parseSignature(readBytes(folder.path() / "plugin.so.minisig"));
  ASSERT_TRUE(key && signature);
  EXPECT_EQ(signature->key_id, key->id);
  const std::string name = key->name();  // the tool leaves out zeros in front
  EXPECT_THAT(readBytes(folder.path() / "k.pub"), HasSubstr(name.substr(name.find_first_not_of('0'))));
  const auto verify = [&] {
    const int fd = ::open((at + "/plugin.so").c_str(), O_RDONLY | O_CLOEXEC);
    const bool fits = verifySignature(*signature, *key, fd).ok();
    ::close(fd);
    return fits;
  };
  EXPECT_TRUE(verify());
  writeBytes(folder.path() / "plugin.so", tinyPlugin() + "x");
  EXPECT_FALSE(verify());
}

TEST(Minisign, RefusesWhatIsNone) {
  const SigningKey key("OURS0001");
  const std::string good = key.sign("x");
  ASSERT_TRUE(parseSignature(good));
  EXPECT_EQ(parsePublicKey(key.publicFile())->name(), "313030305352554F");
  for (const std::string& text : {std::string(), std::string("\n\n\n\n"), good.substr(0, good.size() / 2),
                                 good + "more\n", std::string("untrusted comment: x\nRUQ=\ntrusted comment: y\nAAAA\n")}) {
    EXPECT_FALSE(parseSignature(text)) << text;
  }
  for (const std::string text : {"", "RWQ", "untrusted comment: x\nRWQ*", "a\nb\nc\n"}) EXPECT_FALSE(parsePublicKey(text)) << text;
}

// A plugin of kind "process" is as trustworthy as the least trusted of its files.
class ProcessTrust : public TrustTest {
 protected:
  ProcessTrust() {
    writeBytes(trustFolder() / "ours.pub", ours_.publicFile());
    writeBytes(manifestFile(), kManifest);
    writeBytes(program(), kProgram);
    ::chmod(program().c_str(), 0755);
  }
  [[nodiscard]] fs::path manifestFile() const { return plugins() / "tiny.plugin.json"; }
  [[nodiscard]] fs::path program() const { return plugins() / "tiny.py"; }
  [[nodiscard]] std::string why() const {
    for (const auto& row : catalog_->plugins()) {
      if (row.path == manifestFile() && row.state == GenerationState::Refused) return row.reason;
    }
    return {};
  }
  void sign(const fs::path& path, const SigningKey& key) {
    writeBytes(path.string() + ".minisig", key.sign(readBytes(path)));
    loader_->touched(path.string() + ".minisig");
    settle();
  }

  static constexpr char kProgram[] = "#!/usr/bin/env python3\n";
  static constexpr char kManifest[] =
      R"({"manifest":1,"kind":"process","command":["./tiny.py"],"id":"test.tiny-p","version":"1.0.0","job_types":[{"name":"tiny"}]})";
  const SigningKey ours_{"OURS0001"};
};

TEST_F(ProcessTrust, AProgramThatOthersMayWriteIsRefusedWithItsManifest) {
  ::chmod(program().c_str(), 0777);
  start();
  EXPECT_EQ(running(), "none");
  EXPECT_THAT(why(), HasSubstr("names \"tiny.py\", which is not trusted: the file may be written by everybody"));
  ::chmod(program().c_str(), 0755);
  settle();
  EXPECT_EQ(running(), "1.0.0") << why();
}

TEST_F(ProcessTrust, PinsNameEachOfItsFiles) {
  writeBytes(trustFolder() / "plugins.lock", sha256(kManifest) + "  tiny.plugin.json\n");
  start();
  EXPECT_THAT(why(), HasSubstr("names \"tiny.py\", which is not trusted: sha256 " + sha256(kProgram) +
                               " is not in plugins.lock"));
  writeBytes(trustFolder() / "plugins.lock",
             sha256(kManifest) + "  tiny.plugin.json\n" + sha256(kProgram) + "  tiny.py\n");
  settle();
  EXPECT_EQ(running(), "1.0.0") << why();
  install(program(), std::string(kProgram) + "# another\n");
  ::chmod(program().c_str(), 0755);
  settle();
  EXPECT_THAT(why(), HasSubstr("is not in plugins.lock"));
  EXPECT_EQ(running(), "1.0.0") << "an unpinned program does not take the place of a pinned one";
  writeBytes(trustFolder() / "plugins.lock", sha256(kManifest) + "  tiny.plugin.json\n");
  settle();
  EXPECT_EQ(running(), "none") << "the program that runs is no longer pinned";
}

TEST_F(ProcessTrust, OneKeySignsAllItsFiles) {
  const SigningKey theirs("THEIRS01");
  writeBytes(trustFolder() / "theirs.pub", theirs.publicFile());
  options_.trust.allow_unsigned = false;
  start();
  EXPECT_THAT(why(), HasSubstr("is not signed, and plugins.unsigned=deny"));
  sign(manifestFile(), ours_);
  EXPECT_THAT(why(), HasSubstr("names \"tiny.py\", which is not signed, and plugins.unsigned=deny; put its minisign "
                               "signature beside it as tiny.py.minisig"));
  sign(program(), theirs);
  EXPECT_THAT(why(), HasSubstr("sign all its files with one key"));
  sign(program(), ours_);
  EXPECT_EQ(running(), "1.0.0") << why();
  install(program(), std::string(kProgram) + "# another\n");
  ::chmod(program().c_str(), 0755);
  settle();
  EXPECT_THAT(why(), HasSubstr("names \"tiny.py\", which is not trusted: tiny.py.minisig of key"));
  EXPECT_EQ(running(), "1.0.0") << "what ran before goes on from its copy";
}

}  // namespace
}  // namespace jobhost::catalog
