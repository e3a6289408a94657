#include "support/image/image_engine.hpp"

#include <algorithm>
#include <cctype>
#include <mutex>
#include <thread>

#include "support/image/vips_handle.hpp"

namespace jobhost::support {

void startImageEngine() {
  static std::once_flag once;
  std::call_once(once, [] {
    if (VIPS_INIT("jobhost") != 0) throw Failure(FailureKind::Unsupported, "image.engine", takeVipsError());
    vips_operation_block_set("VipsForeignLoad", TRUE);
    for (const char* loader : {"VipsForeignLoadJpeg", "VipsForeignLoadPng", "VipsForeignLoadWebp",
                               "VipsForeignLoadNsgif", "VipsForeignLoadTiff", "VipsForeignLoadHeif",
                               "VipsForeignLoadJxl", "VipsForeignLoadSvg", "VipsForeignLoadPdf"}) {
      vips_operation_block_set(loader, FALSE);
    }
    vips_cache_set_max(0);
    // What matters becomes an error (fail_on); a damaged file would otherwise fill the job's log line by line.
    g_log_set_handler(
        "VIPS", static_cast<GLogLevelFlags>(G_LOG_LEVEL_WARNING | G_LOG_LEVEL_INFO | G_LOG_LEVEL_DEBUG),
        [](const gchar*, GLogLevelFlags, const gchar*, gpointer) {}, nullptr);
  });
}

void setThreadsPerImage(int threads) {
  const int cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  vips_concurrency_set(threads > 0 ? threads : cores);
}

std::string takeVipsError() {
  std::unique_ptr<char, decltype(&g_free)> text(vips_error_buffer_copy(), &g_free);
  std::string line = text ? text.get() : "";
  while (!line.empty() && std::isspace(static_cast<unsigned char>(line.back())) != 0) line.pop_back();
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < 0x20) c = c == '\n' ? ';' : ' ';
  }
  if (line.size() > 300) line.resize(300);
  return line.empty() ? "libvips gave no reason" : line;
}

Failure vipsFailure() {
  const std::string text = takeVipsError();
  const auto says = [&](const char* part) { return text.find(part) != std::string::npos; };
  if (says("encrypted") || says("password")) {
    return {FailureKind::Encrypted, "document.encrypted", "the document is encrypted; passwords are not supported"};
  }
  if (says("bad page number") || says("pages out of range") || says("does not contain page")) {
    return {FailureKind::NotFound, "image.no_page", "the file has no such page"};
  }
  if (says("not in a known format") || says("not a known")) {
    return {FailureKind::Unsupported, "image.unsupported", "the file is no image this plugin reads"};
  }
  return {FailureKind::Damaged, "image.damaged", "the image cannot be read: " + text};
}

}  // namespace jobhost::support
