#include "pool/status_memory.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <new>

namespace jobhost::pool {

core::Result<UniqueFd> StatusMemory::create() {
  UniqueFd fd(::memfd_create("jobhost-status", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd || ::ftruncate(fd.get(), wire::kStatusPageBytes) != 0) return osError("cannot make a status page", errno);
  if (::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    return osError("cannot seal a status page", errno);
  }
  void* mapped = ::mmap(nullptr, wire::kStatusPageBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (mapped == MAP_FAILED) return osError("cannot map a status page", errno);
  page_ = new (mapped) wire::StatusPage();
  page_->magic.store(wire::StatusPage::kMagic);
  page_->version.store(1);
  return fd;
}

}  // namespace jobhost::pool
