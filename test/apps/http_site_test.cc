// SPDX-License-Identifier: BSD-3-Clause
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "site.h"

namespace http {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr std::uint64_t kLimit = 1 << 20;

class SiteTest : public ::testing::Test {
 protected:
  SiteTest() : root_(fs::temp_directory_path() / ("tern-site-" + std::to_string(::getpid()))) {
    fs::create_directories(root_);
  }
  ~SiteTest() override { fs::remove_all(root_); }

  void write(const std::string& path, const std::string& content) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << content;
  }

  fs::path root_;
};

TEST_F(SiteTest, FindsFilesByTheirPaths) {
  write("a.html", "<p>a");
  write("sub/b c.txt", "b");
  const auto site = Site::load(root_, kLimit);
  ASSERT_TRUE(site.ok()) << site.status();
  ASSERT_NE(site->find("/a.html"), nullptr);
  EXPECT_EQ(site->find("/a.html")->content, "<p>a");
  EXPECT_EQ(site->find("/a.html")->content_type, "text/html; charset=utf-8");
  ASSERT_NE(site->find("/sub/b c.txt"), nullptr);
  EXPECT_EQ(site->find("/nothing"), nullptr);
  EXPECT_EQ(site->find("/../a.html"), nullptr);
  EXPECT_EQ(site->files(), 2u);
}

TEST_F(SiteTest, AFolderAnswersWithItsIndexOrAList) {
  write("with/index.html", "the index");
  write("without/<x>&.txt", "");
  const auto site = Site::load(root_, kLimit);
  ASSERT_TRUE(site.ok()) << site.status();
  EXPECT_EQ(site->find("/with/")->content, "the index");
  EXPECT_EQ(site->find("/with")->location, "/with/");
  EXPECT_THAT(site->find("/without/")->content,
              HasSubstr("href=\"%3Cx%3E%26.txt\">&lt;x>&amp;.txt<"));
  EXPECT_THAT(site->find("/")->content, HasSubstr("href=\"without/\""));
}

TEST_F(SiteTest, LeavesHiddenFilesAndLinksAlone) {
  write(".secret", "x");
  fs::create_symlink("/etc/passwd", root_ / "passwd");
  fs::create_directory_symlink(root_, root_ / "loop");
  const auto site = Site::load(root_, kLimit);
  ASSERT_TRUE(site.ok()) << site.status();
  EXPECT_EQ(site->find("/.secret"), nullptr);
  EXPECT_EQ(site->find("/passwd"), nullptr);
  EXPECT_EQ(site->find("/loop/"), nullptr);
}

TEST_F(SiteTest, TagsFollowTheContent) {
  write("a", "same");
  write("b", "same");
  write("c", "other");
  const auto site = Site::load(root_, kLimit);
  ASSERT_TRUE(site.ok()) << site.status();
  EXPECT_EQ(site->find("/a")->etag, site->find("/b")->etag);
  EXPECT_NE(site->find("/a")->etag, site->find("/c")->etag);
}

TEST_F(SiteTest, RefusesWhatIsTooMuchAndWhatIsNoFolder) {
  write("large", std::string(kLimit + 1, 'x'));
  EXPECT_THAT(std::string(Site::load(root_, kLimit).status().message()), HasSubstr("large"));
  EXPECT_THAT(std::string(Site::load(root_ / "large", kLimit).status().message()),
              HasSubstr("not a folder"));
}

}  // namespace
}  // namespace http
