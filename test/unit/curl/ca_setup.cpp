#include "curl/ca_setup.hpp"

#include <catch2/catch_test_macros.hpp>

#include <filesystem>
#include <string>

#include "support/certificates.hpp"
#include "support/temp_dir.hpp"

namespace {

using namespace ringlet;

TEST_CASE("a hashed CA directory replaces a bundle only if it covers it", "[tls]") {
    const test::TempDir dir;
    const test::TestCa one("one"), two("two"), three("three");
    const auto hashed = dir.path() / "hashed";
    std::filesystem::create_directory(hashed);
    test::write_hashed_directory(hashed, {one.pem(), two.pem()});
    const auto covers = [&](const std::filesystem::path& directory, const std::string& bundle) {
        return detail::ca_directory_covers(directory.c_str(), dir.write("bundle.crt", bundle).c_str());
    };
    CHECK(covers(hashed, one.pem() + two.pem()));
    CHECK(covers(hashed, one.pem()));
    CHECK_FALSE(covers(hashed, one.pem() + two.pem() + three.pem()));
    CHECK(detail::ca_directory_covers(hashed.c_str(), nullptr));
    CHECK(detail::ca_directory_covers(hashed.c_str(), (dir.path() / "missing.crt").c_str()));

    const auto plain = dir.path() / "plain";
    std::filesystem::create_directory(plain);
    one.write_to(plain);
    CHECK_FALSE(covers(plain, ""));
    CHECK_FALSE(covers(dir.path() / "missing", ""));
}

}  // namespace
