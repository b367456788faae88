#include "support/server_process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "support/posix.hpp"

namespace ringlet::test {

namespace {

std::string read_file(const std::filesystem::path& path) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
}

// A server may listen before it has read all of its configuration, and then die. One that answers our FIN
// with its own runs; and it has done with this probe before a test begins to count.
bool answers_fin(std::uint16_t port, Clock::time_point deadline) {
    try {
        auto socket = connect_tcp(port);
        ::shutdown(socket.get(), SHUT_WR);
        pollfd wanted{socket.get(), POLLIN, 0};
        char bytes[1024];
        ssize_t n = 1;
        while (n > 0 && poll_until({&wanted, 1}, deadline)) n = ::recv(socket.get(), bytes, sizeof bytes, 0);
        return n == 0;
    } catch (const std::exception&) {
        return false;
    }
}

// Only what is allowed between fork() and exec() of a program with threads.
[[noreturn]] void become(char* const* command, const char* out_file, const char* error_file, pid_t parent) {
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent) ::_exit(126);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::signal(SIGPIPE, SIG_DFL);
    int null = ::open("/dev/null", O_RDONLY);
    ::dup2(null, 0);
    ::dup2(::open(out_file, O_WRONLY | O_CREAT | O_APPEND, 0600), 1);
    ::dup2(::open(error_file, O_WRONLY | O_CREAT | O_APPEND, 0600), 2);
    ::execv(command[0], command);
    ::_exit(127);
}

std::string pattern(std::size_t size) {
    std::string text;
    for (std::size_t line = 0; text.size() < size; ++line) text += "line " + std::to_string(line) + "\n";
    text.resize(size);
    return text;
}

}  // namespace

std::optional<std::filesystem::path> find_program(std::string_view name) {
    const char* path = std::getenv("PATH");
    std::istringstream directories(std::string(path ? path : "") +
                                   ":/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin");
    for (std::string directory; std::getline(directories, directory, ':');) {
        auto program = std::filesystem::path(directory) / name;
        if (!directory.empty() && ::access(program.c_str(), X_OK) == 0) return program;
    }
    return std::nullopt;
}

const std::string& small_body() {
    static const std::string body = pattern(99) + "\n";
    return body;
}

std::string fill_in(std::string_view text, const std::map<std::string, std::string>& values) {
    std::string filled;
    std::size_t at = 0;
    for (std::size_t from; (from = text.find("${", at)) != std::string_view::npos;) {
        auto end = text.find('}', from);
        auto value = values.find(std::string(text.substr(from + 2, end - from - 2)));
        if (value == values.end())
            throw std::invalid_argument("no value for " + std::string(text.substr(from, 40)));
        filled.append(text.substr(at, from - at)).append(value->second);
        at = end + 1;
    }
    return filled.append(text.substr(at));
}

ServerProcess::~ServerProcess() {
    stop();
}

std::string ServerProcess::url(Protocol protocol, std::string_view path) const {
    bool tls = protocol == Protocol::https || protocol == Protocol::h2;
    std::string url = tls ? "https://127.0.0.1:" : "http://127.0.0.1:";
    return (url += std::to_string(port(protocol))).append(path);
}

void ServerProcess::start(const std::vector<Protocol>& protocols,
                          const std::function<Command(const Ports&)>& configure) {
    for (int attempt = 1;; ++attempt) {
        ports_.clear();
        for (auto protocol : protocols) ports_[protocol] = free_port();
        command_ = configure(ports_);
        spawn();
        if (comes_up(10s)) return;
        stop();
        if (attempt == 3) throw std::runtime_error(command_[0] + " does not start:\n" + log());
    }
}

void ServerProcess::spawn() {
    std::vector<char*> arguments;
    for (auto& argument : command_) arguments.push_back(argument.data());
    arguments.push_back(nullptr);
    auto out = file("stdout.log");
    auto error = file("stderr.log");
    pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ < 0) throw_errno("fork");
    if (pid_ == 0) become(arguments.data(), out.c_str(), error.c_str(), parent);
    // In the child as well: whoever is first.
    ::setpgid(pid_, pid_);
}

bool ServerProcess::comes_up(Clock::duration timeout) {
    auto deadline = Clock::now() + timeout;
    for (const auto& [protocol, port] : ports_) {
        while (!answers_fin(port, deadline)) {
            if (!running() || Clock::now() > deadline) return false;
            std::this_thread::sleep_for(5ms);  // why: the interval of a poll
        }
    }
    return running();
}

bool ServerProcess::running() {
    return pid_ > 0 && !wait_for_exit(0s);
}

bool ServerProcess::wait_for_exit(Clock::duration timeout) {
    auto deadline = Clock::now() + timeout;
    while (pid_ > 0) {
        pid_t ended = ::waitpid(pid_, nullptr, WNOHANG);
        if (ended == pid_ || (ended < 0 && errno == ECHILD)) return true;
        if (Clock::now() >= deadline) return false;
        std::this_thread::sleep_for(1ms);  // why: the interval of a poll
    }
    return true;
}

void ServerProcess::signal_group(int signal) const {
    if (pid_ > 0) ::kill(-pid_, signal);
}

void ServerProcess::stop() {
    if (pid_ <= 0) return;
    signal_group(SIGTERM);
    signal_group(SIGCONT);
    bool gone = wait_for_exit(2s);
    // Also after a clean exit: workers may be left, and a group that is gone does no harm.
    signal_group(SIGKILL);
    if (!gone) wait_for_exit(10s);
    pid_ = -1;
}

void ServerProcess::restart() {
    stop();
    spawn();
    if (!comes_up(10s)) throw std::runtime_error(command_[0] + " does not start again:\n" + log());
}

void ServerProcess::freeze() const {
    signal_group(SIGSTOP);
}

void ServerProcess::thaw() const {
    signal_group(SIGCONT);
}

std::string ServerProcess::log() const {
    return read_file(file("stdout.log")) + read_file(file("stderr.log")) + read_file(file("error.log"));
}

void ServerProcess::write_certificate(Certificate certificate) const {
    if (certificate.empty()) certificate = TestCa::instance().issue();
    certificate.write_to(directory());
    TestCa::instance().write_to(directory());
    temp().write("server.pem", certificate.cert_pem + certificate.key_pem);
}

void ServerProcess::write_documents() const {
    auto www = directory() / "www";
    std::filesystem::create_directories(www / "size");
    temp().write("www/small", small_body());
    temp().write("www/size/1k", pattern(1 << 10));
    temp().write("www/size/64k", pattern(1 << 16));
    temp().write("www/size/1m", pattern(1 << 20));
    temp().write("www/size/100m", "");
    std::filesystem::resize_file(www / "size/100m", 100 << 20);  // sparse
    temp().write("www/text", pattern(1 << 16));
    temp().write("www/slow", pattern(1 << 20));
}

}  // namespace ringlet::test
