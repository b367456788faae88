// git under ringletify: its transfers run on a multi of its own, and must run as they did.
#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <cstddef>
#include <string>

#include "compat/program.hpp"
#include "support/certificates.hpp"
#include "support/origin.hpp"
#include "support/server_process.hpp"
#include "support/temp_dir.hpp"

namespace {

using namespace ringlet::test;

const std::string quiet = "GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_TERMINAL_PROMPT=0 ";

/// git-http-backend, one process for each request.
class GitServer {
  public:
    explicit GitServer(OriginOptions options)
        : origin_(handler([this](const Recorded& r) { return answer(r); }), options) {}

    std::string directory() const { return directory_.path().string(); }
    std::string url(const std::string& repository) const { return origin_.url('/' + repository); }
    const Origin& origin() const { return origin_; }

  private:
    std::string answer(const Recorded& r) const {
        const auto body = directory_.write("body-" + std::to_string(r.connection), r.body);
        const auto query = std::min(r.target.find('?'), r.target.size());
        const auto variable = [](const char* name, const std::string& value) {
            return std::string(name) + "='" + value + "' ";
        };
        const auto ran = run(
            quiet + "GIT_HTTP_EXPORT_ALL=1 REMOTE_USER=tester " + variable("GIT_PROJECT_ROOT", directory()) +
            variable("REQUEST_METHOD", r.method) + variable("PATH_INFO", r.target.substr(0, query)) +
            variable("QUERY_STRING", query < r.target.size() ? r.target.substr(query + 1) : "") +
            variable("CONTENT_TYPE", r.header("Content-Type").value_or("")) +
            variable("HTTP_CONTENT_ENCODING", r.header("Content-Encoding").value_or("")) +
            variable("GIT_PROTOCOL", r.header("Git-Protocol").value_or("")) +
            variable("CONTENT_LENGTH", std::to_string(r.body.size())) + "git http-backend < '" +
            body.string() + '\'');
        const auto end = ran.output.find("\r\n\r\n");
        if (ran.exit_code != 0 || end == std::string::npos) return reply(ran.output, 500);
        const auto head = ran.output.substr(0, end + 2);
        const int status = head.starts_with("Status: ") ? std::stoi(head.substr(8)) : 200;
        return reply(ran.output.substr(end + 4), status, head);
    }

    TempDir directory_;
    Origin origin_;
};

struct Outcome {
    std::string wrong;  // what the first command that failed said
    std::size_t connections = 0, requests = 0, in_chunks = 0;
};

/// Clones, commits and pushes in one directory, fetches in another.
template <class Wrap>
Outcome work(bool tls, Wrap wrap) {
    const GitServer server({.tls = tls});
    const TempDir here;
    const auto ca = TestCa::instance().write_to(here.path()).string();
    const auto root = here.path().string(), url = server.url("r.git");
    Outcome outcome;
    const auto line = [&](const std::string& command) {
        if (!outcome.wrong.empty()) return;
        const auto ran = run(command);
        if (ran.exit_code != 0 || contains(ran.output, "ld.so")) outcome.wrong = command + ": " + ran.output;
    };
    const auto git = [&](const std::string& arguments) {
        line(quiet + "GIT_SSL_CAINFO=" + ca + ' ' +
             wrap("git -c user.name=t -c user.email=t@example.com " + arguments));
    };
    const auto served = server.directory() + "/r.git";
    line(quiet + "git init -q --bare -b main " + served + " && git -C " + served +
         " config http.receivepack true");
    git("clone -q " + url + ' ' + root + "/one");
    line("cd " + root + "/one && seq 1 60000 > large && " + quiet +
         "git add large && git -c user.name=t -c user.email=t@example.com commit -q -m first");
    // In chunks: the pack is larger than git's smallest buffer, 64 KiB.
    git("-C " + root + "/one -c http.postBuffer=1000 push -q origin HEAD:main");
    git("clone -q " + url + ' ' + root + "/two");
    line("cd " + root + "/two && cmp large ../one/large && echo more >> large && " + quiet +
         "git -c user.name=t -c user.email=t@example.com commit -q -a -m second");
    git("-C " + root + "/two push -q origin HEAD:main");
    git("-C " + root + "/one fetch -q");
    line("cd " + root + " && test $(git -C one rev-parse origin/main) = $(git -C two rev-parse HEAD)");
    outcome.connections = server.origin().accepts();
    for (const auto& request : server.origin().requests()) {
        ++outcome.requests;
        if (request.chunked) ++outcome.in_chunks;
    }
    return outcome;
}

void check_git(bool tls) {
    if (!can_preload) SKIP("instrumented");
    if (!find_program("git") || run("git http-backend").exit_code == 1) SKIP("no git http-backend");
    const auto wanted = work(tls, [](const std::string& command) { return command; });
    const auto got = work(tls, [](const std::string& command) { return ringletify(command); });
    CHECK(wanted.wrong == "");
    CHECK(got.wrong == "");
    CHECK(wanted.requests >= 9);
    CHECK(wanted.in_chunks >= 1);
    CHECK(got.in_chunks == wanted.in_chunks);
    CHECK(got.requests == wanted.requests);
    CHECK(got.connections == wanted.connections);
}

TEST_CASE("git clones, pushes and fetches under ringletify as without", "[compat][preload][git]") {
    check_git(false);
}

TEST_CASE("git does so over TLS", "[compat][preload][git]") {
    check_git(true);
}

}  // namespace
