#include "integration/store/fault_vfs.hpp"

#include <sqlite3.h>

#include <cstring>

namespace jobhost::store {

void FaultPlan::reset() {
  fail_write = 0;
  keep_failing = false;
  torn = false;
  fail_sync = false;
  bytes_left = -1;
  read_only = false;
  failures = 0;
}

FaultPlan& faultPlan() {
  static FaultPlan plan;
  return plan;
}

namespace {

/// Our file: SQLite's header, then the real file in the bytes behind it.
struct FaultFile {
  sqlite3_file base;
  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

sqlite3_file* real(sqlite3_file* file) {
  return reinterpret_cast<FaultFile*>(file)->real();
}
sqlite3_vfs* below(sqlite3_vfs* vfs) {
  return static_cast<sqlite3_vfs*>(vfs->pAppData);
}

int faultWrite(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 offset) {
  FaultPlan& plan = faultPlan();
  if (plan.read_only) {
    ++plan.failures;
    return SQLITE_READONLY;
  }
  if (plan.bytes_left >= 0 && (plan.bytes_left -= size) < 0) {
    plan.bytes_left = 0;
    ++plan.failures;
    return SQLITE_FULL;
  }
  const bool now = plan.fail_write > 0 && --plan.fail_write == 0;
  if (now && plan.keep_failing) plan.fail_write = 1;
  if (now) {
    ++plan.failures;
    if (plan.torn) real(file)->pMethods->xWrite(real(file), bytes, size / 2, offset);
    return SQLITE_IOERR_WRITE;
  }
  return real(file)->pMethods->xWrite(real(file), bytes, size, offset);
}

int faultSync(sqlite3_file* file, int flags) {
  if (faultPlan().fail_sync) {
    ++faultPlan().failures;
    return SQLITE_IOERR_FSYNC;
  }
  return real(file)->pMethods->xSync(real(file), flags);
}

const sqlite3_io_methods* methods() {
  static const sqlite3_io_methods kMethods = [] {
    sqlite3_io_methods m{};
    m.iVersion = 2;
    m.xClose = [](sqlite3_file* f) { return real(f)->pMethods->xClose(real(f)); };
    m.xRead = [](sqlite3_file* f, void* to, int n, sqlite3_int64 at) {
      return real(f)->pMethods->xRead(real(f), to, n, at);
    };
    m.xWrite = faultWrite;
    m.xTruncate = [](sqlite3_file* f, sqlite3_int64 n) { return real(f)->pMethods->xTruncate(real(f), n); };
    m.xSync = faultSync;
    m.xFileSize = [](sqlite3_file* f, sqlite3_int64* n) { return real(f)->pMethods->xFileSize(real(f), n); };
    m.xLock = [](sqlite3_file* f, int l) { return real(f)->pMethods->xLock(real(f), l); };
    m.xUnlock = [](sqlite3_file* f, int l) { return real(f)->pMethods->xUnlock(real(f), l); };
    m.xCheckReservedLock = [](sqlite3_file* f, int* r) { return real(f)->pMethods->xCheckReservedLock(real(f), r); };
    m.xFileControl = [](sqlite3_file* f, int op, void* arg) {
      return real(f)->pMethods->xFileControl(real(f), op, arg);
    };
    m.xSectorSize = [](sqlite3_file* f) { return real(f)->pMethods->xSectorSize(real(f)); };
    m.xDeviceCharacteristics = [](sqlite3_file* f) { return real(f)->pMethods->xDeviceCharacteristics(real(f)); };
    m.xShmMap = [](sqlite3_file* f, int page, int size, int extend, void volatile** p) {
      return real(f)->pMethods->xShmMap(real(f), page, size, extend, p);
    };
    m.xShmLock = [](sqlite3_file* f, int at, int n, int flags) {
      return real(f)->pMethods->xShmLock(real(f), at, n, flags);
    };
    m.xShmBarrier = [](sqlite3_file* f) { real(f)->pMethods->xShmBarrier(real(f)); };
    m.xShmUnmap = [](sqlite3_file* f, int del) { return real(f)->pMethods->xShmUnmap(real(f), del); };
    return m;
  }();
  return &kMethods;
}

int faultOpen(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out) {
  const int code = below(vfs)->xOpen(below(vfs), name, real(file), flags, out);
  file->pMethods = code == SQLITE_OK ? methods() : nullptr;
  return code;
}

}  // namespace

const char* faultVfs() {
  static sqlite3_vfs vfs = [] {
    sqlite3_initialize();
    sqlite3_vfs* real_vfs = sqlite3_vfs_find(nullptr);
    sqlite3_vfs v = *real_vfs;  // everything but opening goes to the real one: its functions ignore which VFS they get
    v.zName = "fault";
    v.pAppData = real_vfs;
    v.szOsFile = static_cast<int>(sizeof(FaultFile)) + real_vfs->szOsFile;
    v.xOpen = faultOpen;
    v.pNext = nullptr;
    return v;
  }();
  static const int registered = sqlite3_vfs_register(&vfs, 0);
  static_cast<void>(registered);
  return vfs.zName;
}

}  // namespace jobhost::store
