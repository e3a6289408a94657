// jobhost SDK: outputs and inputs of a job. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <new>
#include <optional>
#include <ostream>
#include <streambuf>
#include <string>
#include <string_view>
#include <utility>

#include "abi.h"
#include "error.hpp"
#include "host.hpp"

namespace jobhost {

namespace detail {

/// Bytes of a stream into jh_output, 16 KiB at a time.
class OutputBuffer : public std::streambuf {
 public:
  OutputBuffer() { setp(bytes_.data(), bytes_.data() + bytes_.size()); }
  void open(const jh_output_v1* api, jh_output* out) noexcept {
    api_ = api;
    out_ = out;
  }
  jh_result send() {
    const auto size = static_cast<std::size_t>(pptr() - pbase());
    setp(bytes_.data(), bytes_.data() + bytes_.size());
    return size > 0 ? write(pbase(), size) : result_;
  }
  jh_result result() const noexcept { return result_; }

 protected:
  int_type overflow(int_type c) override {
    if (send() != JH_OK) return traits_type::eof();
    if (!traits_type::eq_int_type(c, traits_type::eof())) sputc(traits_type::to_char_type(c));
    return traits_type::not_eof(c);
  }
  std::streamsize xsputn(const char* data, std::streamsize size) override {
    if (size < epptr() - pptr()) return std::streambuf::xsputn(data, size);
    if (send() != JH_OK || write(data, static_cast<std::size_t>(size)) != JH_OK) return 0;
    return size;
  }
  int sync() override { return send() == JH_OK ? 0 : -1; }

 private:
  jh_result write(const char* data, std::size_t size) {
    if (result_ == JH_OK) result_ = api_->write(out_, data, size);
    return result_;
  }

  const jh_output_v1* api_ = nullptr;
  jh_output* out_ = nullptr;
  jh_result result_ = JH_OK;
  std::array<char, 16 * 1024> bytes_;
};

}  // namespace detail

/// An output being written. Ends by commit(), or in its destructor: committed, or dropped while an exception is on its
/// way. What a destructor cannot throw is thrown when run ends, so a failed write never counts as success.
class Output : public std::ostream {
 public:
  Output(jh_job* job, std::string_view name, std::string_view media_type, std::optional<Error>* late_error)
      : std::ostream(nullptr), job_(job), name_(name), late_error_(late_error), unwinding_(std::uncaught_exceptions()) {
    api_ = detail::need<jh_output_v1>(JH_EXT_OUTPUT);
    detail::check(job, api_->create(job, detail::str(name), detail::str(media_type), &out_), "output " + name_);
    buffer_.open(api_, out_);
    rdbuf(&buffer_);
  }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  ~Output() override {
    if (out_ == nullptr) return;
    if (std::uncaught_exceptions() > unwinding_) {
      api_->abort(out_);
      return;
    }
    try {
      commit();
    } catch (const Error& error) {
      if (late_error_ != nullptr && !*late_error_) *late_error_ = error;
    } catch (const Cancelled&) {
      // run() notices at its next check; an output cut short by a cancel is not missed
    } catch (const std::bad_alloc&) {
      if (late_error_ != nullptr && !*late_error_) late_error_->emplace(JH_CLASS_RESOURCE, "memory", "out of memory");
    }
  }

  /// Appends bytes; throws when they do not fit the quota or the disk.
  Output& append(const void* data, std::size_t size) {
    rdbuf()->sputn(static_cast<const char*>(data), static_cast<std::streamsize>(size));
    if (buffer_.result() != JH_OK) detail::check(job_, buffer_.result(), "output " + name_);
    return *this;
  }
  /// Finishes it; throws when it cannot be kept.
  void commit() {
    if (out_ == nullptr) return;
    const jh_result written = buffer_.send();
    jh_output* const handle = std::exchange(out_, nullptr);
    if (written != JH_OK) {
      const Error error = writeError(written);
      api_->abort(handle);
      throw error;
    }
    detail::check(job_, api_->commit(handle), "output " + name_);
  }
  /// Drops it.
  void abort() noexcept {
    if (out_ != nullptr) api_->abort(out_);
    out_ = nullptr;
  }

 private:
  Error writeError(jh_result result) const {
    try {
      detail::check(job_, result, "output " + name_);
    } catch (const Error& error) {
      return error;
    } catch (const Cancelled&) {
      return Error::transient("output " + name_ + ": cancelled");
    }
    return Error::internal("output " + name_ + ": not written");
  }

  const jh_output_v1* api_ = nullptr;
  jh_job* job_;
  jh_output* out_ = nullptr;
  std::string name_;
  std::optional<Error>* late_error_;
  int unwinding_;
  detail::OutputBuffer buffer_;
};

/// An input open for reading; closed by its destructor.
class Input {
 public:
  Input(jh_job* job, std::string_view name) : job_(job), name_(name), api_(detail::need<jh_input_v1>(JH_EXT_INPUT)) {
    detail::check(job, api_->open(job, detail::str(name), &in_), "input " + name_);
  }
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;
  ~Input() { api_->close(in_); }

  std::int64_t size() const {
    std::int64_t bytes = 0;
    detail::check(job_, api_->size(in_, &bytes), "input " + name_);
    return bytes;
  }
  /// Up to `size` bytes; 0 at the end.
  std::size_t read(void* buffer, std::size_t size) {
    std::size_t got = 0;
    detail::check(job_, api_->read(in_, buffer, size, &got), "input " + name_);
    return got;
  }
  /// The whole input; throws a bad-input error when it is larger than `limit`.
  std::string readAll(std::size_t limit) {
    std::string all;
    char chunk[16 * 1024];
    while (const std::size_t got = read(chunk, sizeof(chunk))) {
      if (got > limit - all.size()) {
        throw Error::badInput("input " + name_ + ": larger than " + std::to_string(limit) + " bytes").code("too_large");
      }
      all.append(chunk, got);
    }
    return all;
  }

 private:
  jh_job* job_;
  std::string name_;
  const jh_input_v1* api_;
  jh_input* in_ = nullptr;
};

}  // namespace jobhost
