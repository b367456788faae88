// What forms are on the wire: application/x-www-form-urlencoded and multipart/form-data.
#include <catch2/catch_test_macros.hpp>

#include <fstream>
#include <string>

#include "ringlet/ringlet.hpp"
#include "support/fixture.hpp"
#include "support/origin.hpp"
#include "support/temp_dir.hpp"

using namespace ringlet;
using namespace ringlet::test;

namespace {

// The one request that the server has seen.
Recorded only_request(const Origin& origin) {
    const auto seen = origin.requests();
    REQUIRE(seen.size() == 1);
    return seen.front();
}

Recorded sent_as_form(const Form& fields) {
    const Origin origin(respond_with(reply("ok")));
    Client client;
    CHECK(client.session.send(Request::post(origin.url()).form(fields)).text() == "ok");
    return only_request(origin);
}

// The parts as they stand between the lines with the boundary; each begins with its fields.
std::vector<std::string> parts_of(const Recorded& request) {
    const auto type = request.header("Content-Type").value_or("");
    const std::string start = "multipart/form-data; boundary=";
    REQUIRE(type.starts_with(start));
    const auto line = "--" + type.substr(start.size());
    std::vector<std::string> parts;
    std::string_view rest = request.body;
    REQUIRE(rest.starts_with(line + "\r\n"));
    rest.remove_prefix(line.size() + 2);
    for (auto end = rest.find("\r\n" + line); end != rest.npos; end = rest.find("\r\n" + line)) {
        parts.emplace_back(rest.substr(0, end));
        rest.remove_prefix(end + 2 + line.size() + 2);
    }
    CHECK(rest == "\r\n");
    return parts;
}

}  // namespace

TEST_CASE("fields of a form are percent-encoded, in their order, with their Content-Type", "[wire][upload]") {
    const auto request = sent_as_form({{"name", "J\u00f6rg & S\u00f8n"},
                                       {"a=b", "1+1=2 %"},
                                       {"empty", ""},
                                       {"name", "again"},
                                       {"lines", "1\r\n2"},
                                       {"kept", "-._~09azAZ"}});
    CHECK(request.header("Content-Type") == "application/x-www-form-urlencoded");
    CHECK(request.body ==
          "name=J%C3%B6rg%20%26%20S%C3%B8n&a%3Db=1%2B1%3D2%20%25&empty=&name=again&lines=1%0D%0A2&"
          "kept=-._~09azAZ");
    CHECK(request.header("Content-Length") == std::to_string(request.body.size()));
}

TEST_CASE("a form without fields is a body of no bytes", "[wire][upload]") {
    const auto request = sent_as_form({});
    CHECK(request.body.empty());
    CHECK(request.header("Content-Length") == "0");
}

TEST_CASE("a Content-Type of the caller's own goes before the form's", "[wire][upload]") {
    const Origin origin(respond_with(reply("ok")));
    Client client;
    const std::string own = "application/x-www-form-urlencoded; charset=utf-8";
    client.session.send(Request::post(origin.url()).form({{"a", "1"}}).header("Content-Type", own)).consume();
    const auto request = only_request(origin);
    CHECK(request.header("Content-Type") == own);
    CHECK(request.head.find("Content-Type:") == request.head.rfind("Content-Type:"));
    CHECK(request.body == "a=1");
}

TEST_CASE("a multipart form has a part for each field, files under their names", "[wire][upload]") {
    const TempDir directory;
    std::ofstream(directory / "notes.txt", std::ios::binary) << "from a file\n";
    const Origin origin(respond_with(reply("ok")));
    Client client;
    client.session
        .send(
            Request::post(origin.url())
                .multipart({{.name = "title", .data = "a & b\r\n--c"},
                            {.name = "no file", .data = "{}", .content_type = "application/json"},
                            {.name = "document", .file = directory / "notes.txt"},
                            {.name = "renamed", .file = directory / "notes.txt", .filename = "n \"2\".md"}}))
        .consume();
    const auto parts = parts_of(only_request(origin));
    REQUIRE(parts.size() == 4);
    CHECK(parts[0] == "Content-Disposition: form-data; name=\"title\"\r\n\r\na & b\r\n--c");
    CHECK(parts[1] ==
          "Content-Disposition: form-data; name=\"no file\"\r\nContent-Type: application/json\r\n\r\n{}");
    CHECK(parts[2] ==
          "Content-Disposition: form-data; name=\"document\"; filename=\"notes.txt\"\r\n"
          "Content-Type: text/plain\r\n\r\nfrom a file\n");
    CHECK(parts[3].starts_with(
        "Content-Disposition: form-data; name=\"renamed\"; filename=\"n %222%22.md\"\r\n"));
    CHECK(parts[3].ends_with("\r\n\r\nfrom a file\n"));
}
