// A PostgreSQL cluster of this test process: started when it is first asked for, as an unprivileged
// user, reachable by a UNIX socket alone, gone with the process.
#pragma once

#include <fcntl.h>
#include <grp.h>
#include <libpq-fe.h>
#include <poll.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace epode {

class PostgresCluster {
public:
    // The cluster, running; null when PostgreSQL is not installed.
    static PostgresCluster* find() {
        static const std::unique_ptr<PostgresCluster> cluster = make();
        if (cluster) cluster->start();
        return cluster.get();
    }

    ~PostgresCluster() {
        if (server_ != 0 && owner_ == ::getpid()) stop(SIGQUIT);
        if (owner_ == ::getpid()) {
            std::error_code ignored;
            std::filesystem::remove_all(folder_, ignored);
        }
    }

    // The address of an empty schema that nobody else uses.
    std::string freshSchema() {
        const std::string name = "test_" + std::to_string(++schemas_);
        run("CREATE SCHEMA " + name);
        return "host=" + folder_ + " user=epode dbname=postgres options='-c search_path=" + name +
               "'";
    }

    // Where a client program of PostgreSQL is, like pg_dump, and how it gets here.
    static std::string program(const std::string& name) { return binaries() + name; }
    std::string address() const { return conninfo(); }

    // A statement of the administrator.
    void run(const std::string& sql) {
        const std::unique_ptr<PGconn, void (*)(PGconn*)> connection{PQconnectdb(conninfo().c_str()),
                                                                    &PQfinish};
        const std::unique_ptr<PGresult, void (*)(PGresult*)> result{
            PQexec(connection.get(), sql.c_str()), &PQclear};
        const auto status = PQresultStatus(result.get());
        if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
            throw std::runtime_error{PQerrorMessage(connection.get())};
        }
    }

    // Does nothing when it runs.
    void start() {
        if (server_ != 0) return;
        server_ = spawn(
            {binaries() + "postgres", "-D", data(), "-k", folder_, "-c", "listen_addresses=", "-c",
             "fsync=on", "-c", "shared_buffers=16MB", "-c", "logging_collector=off"},
            folder_ + "/log");
        for (int tries = 0; PQping(conninfo().c_str()) != PQPING_OK; ++tries) {
            if (tries > 3000 || ::waitpid(server_, nullptr, WNOHANG) == server_) {
                server_ = 0;
                throw std::runtime_error{"PostgreSQL does not start, see " + folder_ + "/log"};
            }
            ::poll(nullptr, 0, 10);
        }
    }
    // SIGINT: an orderly stop that ends all connections; SIGQUIT: like a crash.
    void stop(int signal = SIGINT) {
        ::kill(server_, signal);
        ::waitpid(server_, nullptr, 0);
        server_ = 0;
    }

private:
    static std::string binaries() {
        std::vector<std::string> found;
        std::error_code ignored;
        for (const auto& entry :
             std::filesystem::directory_iterator{"/usr/lib/postgresql", ignored}) {
            const auto folder = entry.path() / "bin";
            if (std::filesystem::exists(folder / "initdb")) found.push_back(folder.string() + "/");
        }
        std::sort(found.begin(), found.end());
        return found.empty() ? "" : found.back();
    }

    static std::unique_ptr<PostgresCluster> make() {
        if (binaries().empty()) return nullptr;
        return std::unique_ptr<PostgresCluster>{new PostgresCluster};
    }

    PostgresCluster() {
        std::string name = (std::filesystem::temp_directory_path() / "epode-pg-XXXXXX").string();
        if (!::mkdtemp(name.data())) throw std::runtime_error{"no temporary folder"};
        folder_ = name;
        // PostgreSQL refuses to run as root.
        if (::getuid() == 0) {
            user_ = ::getpwnam("postgres");
            if (!user_) user_ = ::getpwnam("nobody");
            if (::chown(name.c_str(), user_->pw_uid, user_->pw_gid) != 0) {
                throw std::runtime_error{"no folder for PostgreSQL's user"};
            }
        }
        const pid_t child =
            spawn({binaries() + "initdb", "-D", data(), "-U", "epode", "-A", "trust", "--no-sync",
                   "--no-instructions", "--locale=C", "--encoding=UTF8"},
                  folder_ + "/log");
        int status = 0;
        ::waitpid(child, &status, 0);
        if (status != 0) throw std::runtime_error{"initdb failed, see " + folder_ + "/log"};
    }

    std::string data() const { return folder_ + "/data"; }
    std::string conninfo() const { return "host=" + folder_ + " user=epode dbname=postgres"; }

    pid_t spawn(const std::vector<std::string>& command, const std::string& log) {
        std::vector<char*> arguments;
        for (const auto& part : command) arguments.push_back(const_cast<char*>(part.c_str()));
        arguments.push_back(nullptr);
        const pid_t parent = ::getpid();
        const pid_t child = ::fork();
        if (child != 0) return child;
        const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0666);
        ::dup2(out, 1);
        ::dup2(out, 2);
        if (user_ && (::setgroups(0, nullptr) != 0 || ::setgid(user_->pw_gid) != 0 ||
                      ::setuid(user_->pw_uid) != 0)) {
            ::_exit(126);
        }
        // It ends with this process, however that ends.
        ::prctl(PR_SET_PDEATHSIG, SIGQUIT);
        if (::getppid() != parent || ::chdir("/") != 0) ::_exit(126);
        ::execv(arguments[0], arguments.data());
        ::_exit(127);
    }

    std::string folder_;
    const passwd* user_ = nullptr;
    pid_t server_ = 0;
    const pid_t owner_ = ::getpid();
    int schemas_ = 0;
};

}  // namespace epode
