// Runs an example against an embedded server, as a test.
//
//     run_example [--connections LEAST-MOST] [--expect TEXT]... -- PROGRAM ARGUMENT...
//
// "URL" at the beginning of an argument becomes the server's, "OUT" a file that may be written, "IN" one that
// can be read. Good when the program ends with 0, prints each TEXT, and the server has counted that many
// connections.
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "support/origin.hpp"
#include "support/posix.hpp"
#include "support/temp_dir.hpp"

extern char** environ;  // NOLINT(readability-redundant-declaration)

namespace {

using namespace ringlet::test;

struct Order {
    std::size_t least_connections = 0;
    std::size_t most_connections = SIZE_MAX;
    std::vector<std::string> expected;
    std::vector<std::string> command;
};

void read_range(const std::string& text, Order& order) {
    const auto dash = text.find('-');
    order.least_connections = std::stoul(text);
    order.most_connections =
        dash == std::string::npos ? order.least_connections : std::stoul(text.substr(dash + 1));
}

Order parse(int argc, char** argv) {
    Order order;
    int i = 1;
    for (; i + 1 < argc && std::string_view(argv[i]) != "--"; i += 2) {
        const std::string_view name = argv[i];
        if (name == "--connections")
            read_range(argv[i + 1], order);
        else if (name == "--expect")
            order.expected.emplace_back(argv[i + 1]);
        else
            throw std::invalid_argument("unknown option: " + std::string(name));
    }
    for (++i; i < argc; ++i) order.command.emplace_back(argv[i]);
    if (order.command.empty()) throw std::invalid_argument("no program");
    return order;
}

// Refuses every third request only: what a client that tries again gets through to.
std::string sometimes_busy(std::size_t n) {
    return n % 3 == 2 ? reply("ok") : reply("busy", 503, "Retry-After: 0\r\n");
}

// Sends a head and a first byte, and then nothing until the client has had enough.
void answer_slowly(Connection& connection) {
    connection.write("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nx");
    connection.wait_for_fin(10s);
}

// A WebSocket that sends one text frame back. Its Accept field answers the key of the RFC's example only.
void echo_frame(Connection& connection) {
    connection.write(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
    const auto head = connection.read_exactly(2);
    if (!head || ((*head)[1] & 0x80) == 0) return connection.close();  // a client must mask
    const auto mask = connection.read_exactly(4);
    auto text = connection.read_exactly(static_cast<unsigned char>((*head)[1]) & 0x7f);
    if (!mask || !text) return;
    for (std::size_t i = 0; i < text->size(); ++i)
        (*text)[i] = static_cast<char>((*text)[i] ^ (*mask)[i % 4]);
    connection.write(std::string{'\x81', static_cast<char>(text->size())} + *text);
}

Script pages() {
    auto busy = std::make_shared<std::atomic<std::size_t>>(0);
    return [busy](Connection& connection) {
        while (const auto request = connection.read_request()) {
            const std::string_view target = request->target;
            if (target == "/slow") return answer_slowly(connection);
            if (target == "/echo") return echo_frame(connection);
            std::string answer = reply("hello", 200, "Content-Type: text/plain\r\n");
            if (target == "/busy") answer = sometimes_busy((*busy)++);
            if (target == "/upload") answer = reply(std::to_string(request->body_size) + " bytes received");
            if (target == "/file") answer = reply(std::string(4 << 20, 'f'));
            if (target == "/lines")
                answer = chunked_reply({"first line\n", "second line\n", std::string(9000, '-') + "\n"});
            if (target == "/?large") answer = reply(std::string(1 << 20, 'l'));
            if (!connection.write(answer)) return;
        }
    };
}

std::string replaced(std::string argument, std::string_view name, const std::string& value) {
    return argument.starts_with(name) ? argument.replace(0, name.size(), value) : argument;
}

struct Run {
    int status = -1;
    std::string printed;
};

Run run(std::vector<std::string> command) {
    int ends[2];
    if (pipe(ends) != 0) throw_errno("pipe");
    Fd out(ends[0]);
    Fd in(ends[1]);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in.get(), STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, out.get());
    std::vector<char*> arguments;
    for (auto& word : command) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    pid_t child = -1;
    const int error = posix_spawn(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) throw std::system_error(error, std::system_category(), command[0]);
    in.reset();
    Run result;
    char buffer[4096];
    for (ssize_t n; (n = read(out.get(), buffer, sizeof buffer)) > 0;)
        result.printed.append(buffer, static_cast<std::size_t>(n));
    waitpid(child, &result.status, 0);
    return result;
}

int check(const Order& order, const Run& result, std::size_t connections) {
    int problems = 0;
    const auto complain = [&](const std::string& what) {
        std::fprintf(stderr, "run_example: %s\n", what.c_str());
        ++problems;
    };
    std::fputs(result.printed.c_str(), stdout);
    if (!WIFEXITED(result.status) || WEXITSTATUS(result.status) != 0)
        complain("the program ended with status " + std::to_string(result.status));
    for (const auto& text : order.expected)
        if (result.printed.find(text) == std::string::npos) complain("it did not print: " + text);
    if (connections < order.least_connections || connections > order.most_connections)
        complain("the server counted " + std::to_string(connections) + " connections");
    return problems == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) try {
    auto order = parse(argc, argv);
    const TempDir directory;
    const auto in = directory.write("in.txt", "the content of a file\n");
    const Origin origin(pages(), {.record_requests = false});
    for (auto& word : order.command) {
        word = replaced(word, "URL", origin.url(""));
        word = replaced(word, "OUT", directory / "out");
        word = replaced(word, "IN", in);
    }
    const auto result = run(order.command);
    return check(order, result, origin.accepts());
} catch (const std::exception& error) {
    std::fprintf(stderr, "run_example: %s\n", error.what());
    return 1;
}
