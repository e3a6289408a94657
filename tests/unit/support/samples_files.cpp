#include <archive.h>
#include <archive_entry.h>
#include <locale.h>
#include <stdlib.h>
#include <zlib.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "samples.hpp"

namespace jobhost::samples {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPhotos = "/usr/share/gocode/src/github.com/disintegration/imaging/testdata/";

fs::path needed(const fs::path& path, const char* package) {
  if (fs::exists(path)) return path;
  throw std::runtime_error("this test reads " + path.string() + ": install the Debian package " + package);
}

void putLe(std::string& out, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
}

std::uint32_t crcOf(std::string_view bytes) {
  return static_cast<std::uint32_t>(
      crc32(0, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size())));
}

void rar4Block(std::string& out, unsigned char type, std::uint16_t flags, const std::string& fields,
               std::string_view data = {}) {
  std::string head;
  head += static_cast<char>(type);
  putLe(head, flags, 2);
  putLe(head, 7 + fields.size(), 2);
  head += fields;
  putLe(out, crcOf(head) & 0xffff, 2);
  out += head;
  out += data;
}

std::string vint(std::uint64_t value) {
  std::string out;
  do {
    out += static_cast<char>((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
    value >>= 7;
  } while (value != 0);
  return out;
}

void rar5Block(std::string& out, const std::string& fields, std::string_view data = {}) {
  const std::string sized = vint(fields.size()) + fields;
  putLe(out, crcOf(sized), 4);
  out += sized;
  out += data;
}

void check(struct archive* writer, int status) {
  if (status != ARCHIVE_OK) throw std::runtime_error(archive_error_string(writer));
}

void setFormat(struct archive* writer, const std::string& format) {
  if (format == "zip") return check(writer, archive_write_set_format_zip(writer));
  if (format == "zip-stored") {
    check(writer, archive_write_set_format_zip(writer));
    return check(writer, archive_write_zip_set_compression_store(writer));
  }
  if (format == "7z") return check(writer, archive_write_set_format_7zip(writer));
  check(writer, archive_write_set_format_pax_restricted(writer));
  if (format == "tar.gz") check(writer, archive_write_add_filter_gzip(writer));
  if (format == "tar.xz") check(writer, archive_write_add_filter_xz(writer));
  if (format == "tar.bz2") check(writer, archive_write_add_filter_bzip2(writer));
  if (format == "tar.zst") check(writer, archive_write_add_filter_zstd(writer));
  if (format == "lzma") check(writer, archive_write_add_filter_lzma(writer));
}

la_ssize_t append(struct archive*, void* out, const void* data, std::size_t size) {
  static_cast<std::string*>(out)->append(static_cast<const char*>(data), size);
  return static_cast<la_ssize_t>(size);
}

// libarchive converts names through the thread's locale.
class Utf8 {
 public:
  Utf8() : before_(uselocale(utf8_)) {}
  ~Utf8() {
    uselocale(before_);
    freelocale(utf8_);
  }
  Utf8(const Utf8&) = delete;
  Utf8& operator=(const Utf8&) = delete;

 private:
  locale_t utf8_ = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  locale_t before_;
};

std::string written(const std::string& format, const Files& files, bool encrypt) {
  const Utf8 names;
  std::string out;
  struct archive* writer = archive_write_new();
  setFormat(writer, format);
  if (encrypt) {
    check(writer, archive_write_set_options(writer, "zip:encryption=traditional"));
    check(writer, archive_write_set_passphrase(writer, "secret"));
  }
  check(writer, archive_write_set_bytes_in_last_block(writer, 1));
  check(writer, archive_write_open(writer, &out, nullptr, &append, nullptr));
  for (const auto& [name, bytes] : files) {
    struct archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, name.c_str());
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_size(entry, static_cast<la_int64_t>(bytes.size()));
    check(writer, archive_write_header(writer, entry));
    if (archive_write_data(writer, bytes.data(), bytes.size()) < 0) check(writer, ARCHIVE_FATAL);
    archive_entry_free(entry);
  }
  check(writer, archive_write_close(writer));
  archive_write_free(writer);
  return out;
}

std::string pdfOf(const std::vector<std::string>& objects, const std::string& trailer) {
  std::string out = "%PDF-1.4\n";
  std::vector<std::size_t> offsets;
  for (std::size_t i = 0; i < objects.size(); ++i) {
    offsets.push_back(out.size());
    out += std::to_string(i + 1) + " 0 obj\n" + objects[i] + "\nendobj\n";
  }
  const std::size_t xref = out.size();
  out += "xref\n0 " + std::to_string(objects.size() + 1) + "\n0000000000 65535 f \n";
  for (const std::size_t offset : offsets) {
    std::array<char, 32> line{};
    std::snprintf(line.data(), line.size(), "%010zu 00000 n \n", offset);
    out += line.data();
  }
  return out + "trailer\n<</Size " + std::to_string(objects.size() + 1) + "/Root 1 0 R" + trailer + ">>\nstartxref\n" +
         std::to_string(xref) + "\n%%EOF\n";
}

std::string pdfWith(const std::vector<std::pair<double, double>>& sizes, const std::string& trailer) {
  std::vector<std::string> objects{"<</Type/Catalog/Pages 2 0 R>>", ""};
  std::string kids;
  for (const auto& [width, height] : sizes) {
    const std::string w = std::to_string(width);
    const std::string h = std::to_string(height);
    const std::string draw = "1 0 0 rg 0 0 " + w + " " + h + " re f";
    kids += std::to_string(objects.size() + 1) + " 0 R ";
    objects.push_back("<</Type/Page/Parent 2 0 R/MediaBox[0 0 " + w + " " + h + "]/Contents " +
                      std::to_string(objects.size() + 2) + " 0 R>>");
    objects.push_back("<</Length " + std::to_string(draw.size()) + ">>\nstream\n" + draw + "\nendstream");
  }
  objects[1] = "<</Type/Pages/Count " + std::to_string(sizes.size()) + "/Kids[" + kids + "]>>";
  return pdfOf(objects, trailer);
}

}  // namespace

TempFolder::TempFolder() {
  std::string name = (fs::temp_directory_path() / "jobhost-test-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
  path_ = name;
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

fs::path TempFolder::write(const std::string& name, std::string_view bytes) const {
  const fs::path path = path_ / name;
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return path;
}

std::string readAll(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + path.string());
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string gunzip(const fs::path& path) {
  gzFile in = gzopen(path.c_str(), "rb");
  if (in == nullptr) throw std::runtime_error("cannot read " + path.string());
  std::string out;
  std::array<char, 1 << 16> block{};
  for (int got; (got = gzread(in, block.data(), block.size())) > 0;)
    out.append(block.data(), static_cast<std::size_t>(got));
  gzclose(in);
  return out;
}

fs::path photo() {
  return needed(std::string(kPhotos) + "branches.jpg", "golang-github-disintegration-imaging-dev");
}

fs::path orientedPhoto(int orientation) {
  return needed(kPhotos + ("orientation_" + std::to_string(orientation) + ".jpg"),
                "golang-github-disintegration-imaging-dev");
}

fs::path realEpub() {
  return needed("/usr/share/doc/debian-policy/policy.epub", "debian-policy");
}

fs::path realPdf(const TempFolder& folder) {
  return folder.write("fhs.pdf", gunzip(needed("/usr/share/doc/debian-policy/fhs/fhs-3.0.pdf.gz", "debian-policy")));
}

std::string archive(const std::string& format, const Files& files) {
  if (format == "rar4") return rar4(files);
  if (format == "rar5") return rar5(files);
  return written(format, files, false);
}

std::string encryptedZip(const Files& files) {
  return written("zip", files, true);
}

std::string rar4(const Files& files, bool encrypted) {
  std::string out("Rar!\x1a\x07\0", 7);
  rar4Block(out, 0x73, 0, std::string(6, '\0'));
  for (const auto& [name, bytes] : files) {
    std::string fields;
    putLe(fields, bytes.size(), 4);
    putLe(fields, bytes.size(), 4);
    fields += '\3';  // unix
    putLe(fields, crcOf(bytes), 4);
    putLe(fields, 0x5a215a21, 4);
    fields += '\x14';
    fields += '\x30';  // stored
    putLe(fields, name.size(), 2);
    putLe(fields, 0100644, 4);
    fields += name;
    rar4Block(out, 0x74, static_cast<std::uint16_t>(0x8000 | (encrypted ? 0x04 : 0)), fields, bytes);
  }
  rar4Block(out, 0x7b, 0x4000, "");
  return out;
}

std::string rar5(const Files& files) {
  std::string out("Rar!\x1a\x07\x01\0", 8);
  rar5Block(out, vint(1) + vint(0) + vint(0));
  for (const auto& [name, bytes] : files) {
    std::string fields = vint(2) + vint(2) + vint(bytes.size()) + vint(4) + vint(bytes.size()) + vint(0100644);
    putLe(fields, crcOf(bytes), 4);
    fields += vint(0) + vint(1) + vint(name.size()) + name;  // stored, unix
    rar5Block(out, fields, bytes);
  }
  rar5Block(out, vint(5) + vint(0) + vint(0));
  return out;
}

std::string zipOfZeros(std::uint64_t size_bytes) {
  return archive("zip", {{"01.png", std::string(size_bytes, '\0')}});
}

std::string zipWithManyEntries(std::size_t count) {
  Files files;
  files.reserve(count);
  for (std::size_t i = 0; i < count; ++i) files.emplace_back(std::to_string(i) + ".png", "");
  return archive("zip", files);
}

std::string pdf(const std::vector<std::pair<double, double>>& page_sizes_pt) {
  return pdfWith(page_sizes_pt, "");
}

std::string encryptedPdf() {
  const std::string hash(64, 'a');
  return pdfWith({{100, 100}},
                 "/ID[<00112233445566778899aabbccddeeff><00112233445566778899aabbccddeeff>]"
                 "/Encrypt<</Filter/Standard/V 1/R 2/P -4/O<" +
                     hash + ">/U<" + hash + ">>>");
}

std::string epub(const std::string& opf_manifest, const std::string& opf_metadata, const Files& files,
                 const std::string& opf_tail) {
  Files all{{"mimetype", "application/epub+zip"},
            {"META-INF/container.xml",
             "<?xml version=\"1.0\"?><container version=\"1.0\" "
             "xmlns=\"urn:oasis:names:tc:opendocument:xmlns:container\"><rootfiles><rootfile "
             "full-path=\"OEBPS/content.opf\" media-type=\"application/oebps-package+xml\"/></rootfiles></container>"},
            {"OEBPS/content.opf",
             "<?xml version=\"1.0\"?><package xmlns=\"http://www.idpf.org/2007/opf\" version=\"3.0\">"
             "<metadata>" +
                 opf_metadata + "</metadata><manifest>" + opf_manifest + "</manifest>" + opf_tail + "</package>"}};
  all.insert(all.end(), files.begin(), files.end());
  return archive("zip", all);
}

}  // namespace jobhost::samples
