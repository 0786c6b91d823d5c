// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace http {

/// What a path of the site answers with.
struct Resource {
  std::string content;
  std::string content_type;
  std::string etag;      // quoted, from the content
  std::string location;  // not empty: a redirection to there (301)
};

/// A folder's files, read at start, so that the loop never waits for a disk. Each folder answers
/// with its index.html, or with a list of what it holds. Immutable: every worker may read it.
class Site {
 public:
  /// Reads regular files below `root`, without following links that lead out of it, up to `limit`
  /// bytes of content in all. Errors name the file or the limit.
  static absl::StatusOr<Site> load(const std::filesystem::path& root, std::uint64_t limit);

  /// By the decoded path, "/" first; nullptr if there is no such thing.
  const Resource* find(std::string_view path) const;

  std::size_t files() const { return files_; }
  std::uint64_t bytes() const { return bytes_; }

 private:
  absl::Status add_file(const std::filesystem::path& file, const std::string& path,
                        std::uint64_t limit);
  absl::Status add_folder(const std::filesystem::path& folder, const std::string& path,
                          std::uint64_t limit);
  absl::Status add_entry(const std::filesystem::directory_entry& entry, const std::string& path,
                         std::uint64_t limit);

  std::map<std::string, Resource, std::less<>> resources_;
  std::size_t files_ = 0;
  std::uint64_t bytes_ = 0;
};

/// "text/html; charset=utf-8" for "x.html" and so on; application/octet-stream if unknown.
std::string_view content_type_of(std::string_view file_name);

}  // namespace http
