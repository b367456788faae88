// Body states x operations (behaviour.md, section 2).
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <functional>
#include <istream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "support/fixture.hpp"
#include "support/origin.hpp"
#include "support/temp_dir.hpp"

using namespace ringlet;
using namespace ringlet::test;

namespace {

struct Operation {
    const char* name;
    std::function<void(Response&)> run;
};

std::vector<Operation> whole_body_readers(const TempDir& directory) {
    return {{"text", [](Response& r) { r.text(); }},
            {"bytes", [](Response& r) { r.bytes(); }},
            {"save_to", [&](Response& r) { r.save_to(directory / "file"); }},
            {"chunks", [](Response& r) { r.chunks(); }},
            {"stream", [](Response& r) { r.stream(); }}};
}

}  // namespace

TEST_CASE("readers of a whole body need it unread, and read() goes on where it was", "[wire]") {
    Origin origin(respond_with(reply("hello world")));
    const TempDir directory;
    Client client;
    for (const auto& operation : whole_body_readers(directory)) {
        INFO(operation.name);
        auto response = client.session.get(origin.url());
        CHECK(response.body_state() == BodyState::unread);
        CHECK(read_bytes(response, 5) == "hello");
        CHECK(response.body_state() == BodyState::partially_read);
        CHECK(outcome_of([&] { operation.run(response); }).code == Errc::body_already_read);
        CHECK_FALSE(response.locked());
        CHECK(read_to_end(response).bytes == " world");
        CHECK(response.body_state() == BodyState::complete);
        CHECK(outcome_of([&] { operation.run(response); }).code == Errc::body_already_read);
    }
    CHECK(std::filesystem::is_empty(directory.path()));
    CHECK(origin.accepts() == 1);
    CHECK(client.drop_warnings() == 0);
    client.check_end(origin.url());
}

TEST_CASE("while a reader lives the body is locked", "[wire]") {
    Origin origin(respond_with(reply("hello world")));
    const TempDir directory;
    Client client;
    auto response = client.session.get(origin.url());
    {
        auto chunks = response.chunks();
        CHECK(response.locked());
        std::byte byte{};
        CHECK(outcome_of([&] { response.read({&byte, 1}); }).code == Errc::body_locked);
        CHECK(outcome_of([&] { response.consume(); }).code == Errc::body_locked);
        for (const auto& operation : whole_body_readers(directory)) {
            INFO(operation.name);
            CHECK(outcome_of([&] { operation.run(response); }).code == Errc::body_locked);
        }
        std::string text;
        for (const auto piece : chunks)
            text.append(reinterpret_cast<const char*>(piece.data()), piece.size());
        CHECK(text == "hello world");
    }
    CHECK_FALSE(response.locked());
    CHECK(response.body_state() == BodyState::complete);
    {
        auto second = client.session.get(origin.url());
        auto stream = second.stream();
        CHECK(second.locked());
        std::string word;
        stream >> word;
        CHECK(word == "hello");
        CHECK(std::string(std::istreambuf_iterator<char>(stream), {}) == " world");
        CHECK(stream.rdbuf()->sgetc() == std::char_traits<char>::eof());
    }
    CHECK(client.drop_warnings() == 0);
    client.check_end(origin.url());
}

TEST_CASE("a reader outlives its response, and its end drops the body", "[wire]") {
    Origin origin(respond_with(reply(std::string(1 << 20, 'z'))));
    Client client;
    {
        auto chunks = [&] { return client.session.get(origin.url()).chunks(); }();
        CHECK((*chunks.begin()).size() > 0);
        CHECK(client.drop_warnings() == 0);
    }
    CHECK(client.drop_warnings() == 1);
    CHECK(origin.wait_for_ends(1));
    client.check_end(origin.url());
}

TEST_CASE("an aborted body says so ever after", "[wire]") {
    Origin origin(respond_with(reply("hello world")));
    const TempDir directory;
    Client client;
    auto response = client.session.get(origin.url());
    CHECK(read_bytes(response, 5) == "hello");
    response.abort();
    CHECK(response.body_state() == BodyState::abandoned);
    REQUIRE(response.disposition());
    CHECK(response.disposition()->reason == CloseReason::unread_body);
    CHECK(origin.wait_for_ends(1));
    CHECK(read_to_end(response).outcome.code == Errc::cancelled);
    for (const auto& operation : whole_body_readers(directory)) {
        INFO(operation.name);
        CHECK(outcome_of([&] { operation.run(response); }).threw);
    }
    response.abort();
    CHECK(client.log.warnings().empty());
    CHECK(client.session.get(origin.url()).text() == "hello world");
    client.check_end(origin.url());
}

TEST_CASE("save_to never leaves a truncated file under the final name", "[wire]") {
    const TempDir directory;
    const auto path = directory.write("file", "old content");
    const auto only_old = [&] {
        std::ifstream in(path);
        CHECK(std::string(std::istreambuf_iterator<char>(in), {}) == "old content");
        CHECK(std::distance(std::filesystem::directory_iterator(directory.path()), {}) == 1);
    };
    const std::string body(100'000, 'f');
    Origin origin(scripts_in_turn(
        {respond_and_close("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + body.substr(0, 60'000)),
         respond_with(reply(body))}));
    Client client;
    auto cut = client.session.get(origin.url());
    CHECK(outcome_of([&] { cut.save_to(path); }).code == Errc::truncated);
    only_old();

    client.session.get(origin.url()).save_to(path);
    CHECK(std::filesystem::file_size(path) == body.size());
    CHECK(std::distance(std::filesystem::directory_iterator(directory.path()), {}) == 1);
    client.check_end(origin.url());
}

TEST_CASE("save_to takes any name that a file may have", "[wire][save_to]") {
    const TempDir directory;
    Origin origin(respond_with(reply("hello")));
    Client client;
    for (const std::size_t length : {1, 200, 255}) {
        CAPTURE(length);
        const auto path = directory / std::string(length, 'n');
        client.session.get(origin.url()).save_to(path);
        std::ifstream in(path);
        CHECK(std::string(std::istreambuf_iterator<char>(in), {}) == "hello");
    }
    CHECK(std::distance(std::filesystem::directory_iterator(directory.path()), {}) == 3);
    auto response = client.session.get(origin.url());
    std::error_code ec;
    response.save_to("", ec);
    CHECK(ec == std::errc::no_such_file_or_directory);
    response.save_to(directory / std::string(256, 'n'), ec);
    CHECK(ec == std::errc::filename_too_long);
    std::filesystem::create_symlink("round", directory / "round");
    response.save_to(directory / "round", ec);
    CHECK(ec == std::errc::too_many_symbolic_link_levels);
    CHECK(response.text() == "hello");  // nothing was read for it
    client.check_end(origin.url());
}
