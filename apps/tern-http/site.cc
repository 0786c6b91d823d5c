// SPDX-License-Identifier: BSD-3-Clause
#include "site.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <map>
#include <utility>
#include <vector>

namespace http {

namespace fs = std::filesystem;

namespace {

std::string escape_html(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '"')
      out += "&quot;";
    else
      out += c;
  }
  return out;
}

// RFC 3986 2.3's unreserved characters, and the slash, stand for themselves.
std::string escape_url(std::string_view path) {
  std::string out;
  for (const char c : path) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::strchr("-._~/", c) != nullptr;
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

// Of the content alone, so that it is the same after a restart.
std::string make_etag(std::string_view content) {
  constexpr std::uint64_t kOffset = 0xcbf29ce484222325, kPrime = 0x100000001b3;  // FNV-1a
  std::uint64_t hash = kOffset;
  for (const char c : content) hash = (hash ^ static_cast<unsigned char>(c)) * kPrime;
  return fmt::format("\"{:016x}-{:x}\"", hash, content.size());
}

std::string make_list(const std::string& path, const std::vector<std::string>& names) {
  std::string html = fmt::format(
      "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>{0}</title></head>\n"
      "<body><h1>{0}</h1>\n<ul>\n",
      escape_html(path));
  for (const std::string& name : names)
    html += fmt::format("<li><a href=\"{}\">{}</a></li>\n", escape_url(name), escape_html(name));
  return html + "</ul></body></html>\n";
}

Resource make_resource(std::string content, std::string_view type) {
  Resource resource;
  resource.etag = make_etag(content);
  resource.content = std::move(content);
  resource.content_type = type;
  return resource;
}

}  // namespace

std::string_view content_type_of(std::string_view file_name) {
  static const std::map<std::string_view, std::string_view> kTypes = {
      {"html", "text/html; charset=utf-8"},
      {"htm", "text/html; charset=utf-8"},
      {"css", "text/css; charset=utf-8"},
      {"js", "text/javascript; charset=utf-8"},
      {"json", "application/json"},
      {"md", "text/markdown; charset=utf-8"},
      {"txt", "text/plain; charset=utf-8"},
      {"xml", "application/xml"},
      {"svg", "image/svg+xml"},
      {"png", "image/png"},
      {"jpg", "image/jpeg"},
      {"jpeg", "image/jpeg"},
      {"gif", "image/gif"},
      {"ico", "image/vnd.microsoft.icon"},
      {"pdf", "application/pdf"},
      {"wasm", "application/wasm"}};
  const std::size_t dot = file_name.rfind('.');
  const auto found =
      dot == std::string_view::npos ? kTypes.end() : kTypes.find(file_name.substr(dot + 1));
  return found == kTypes.end() ? "application/octet-stream" : found->second;
}

absl::StatusOr<Site> Site::load(const fs::path& root, std::uint64_t limit) {
  std::error_code error;
  if (!fs::is_directory(root, error))
    return absl::InvalidArgumentError(
        fmt::format("--root: '{}' is not a folder that can be read", root.string()));
  Site site;
  if (absl::Status status = site.add_folder(root, "/", limit); !status.ok()) return status;
  return site;
}

absl::Status Site::add_folder(const fs::path& folder, const std::string& path,
                              std::uint64_t limit) {
  std::vector<std::string> names;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with('.')) continue;  // .git, .htpasswd: not meant for the world
    if (absl::Status status = add_entry(entry, path + name, limit); !status.ok()) return status;
    names.push_back(name + (entry.is_directory() ? "/" : ""));
  }
  if (error)
    return absl::PermissionDeniedError(
        fmt::format("cannot read the folder {}: {}", folder.string(), error.message()));
  std::sort(names.begin(), names.end());
  const auto index = resources_.find(path + "index.html");
  Resource resource = index != resources_.end()
                          ? index->second
                          : make_resource(make_list(path, names), content_type_of("x.html"));
  resources_.insert_or_assign(path, std::move(resource));
  return absl::OkStatus();
}

// Links are left alone: one of them could lead out of the folder, or round in a circle.
absl::Status Site::add_entry(const fs::directory_entry& entry, const std::string& path,
                             std::uint64_t limit) {
  if (entry.is_symlink()) return absl::OkStatus();
  if (entry.is_regular_file()) return add_file(entry.path(), path, limit);
  if (!entry.is_directory()) return absl::OkStatus();
  Resource redirection = make_resource("", "text/plain; charset=utf-8");
  redirection.location = escape_url(path) + "/";
  resources_.insert_or_assign(path, std::move(redirection));
  return add_folder(entry.path(), path + "/", limit);
}

absl::Status Site::add_file(const fs::path& file, const std::string& path, std::uint64_t limit) {
  std::ifstream in(file, std::ios::binary);
  std::string content{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  if (!in && !in.eof())
    return absl::PermissionDeniedError(fmt::format("cannot read {}", file.string()));
  bytes_ += content.size();
  ++files_;
  if (bytes_ > limit)
    return absl::ResourceExhaustedError(
        fmt::format("the folder holds more than {} MiB (reached at {}): raise --max-megabytes, or "
                    "choose another --root",
                    limit >> 20, file.string()));
  resources_.insert_or_assign(path, make_resource(std::move(content), content_type_of(path)));
  return absl::OkStatus();
}

const Resource* Site::find(std::string_view path) const {
  const auto found = resources_.find(path);
  return found == resources_.end() ? nullptr : &found->second;
}

}  // namespace http
