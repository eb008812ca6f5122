#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>

namespace epode::test {

// A new, empty folder that goes away with its object. Its path is short enough for sockets.
class TemporaryFolder {
public:
    TemporaryFolder() {
        char path[] = "/tmp/epode-test-XXXXXX";
        if (!mkdtemp(path)) throw std::runtime_error{"no temporary folder"};
        path_ = path;
    }
    ~TemporaryFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;

    const std::string& path() const { return path_; }
    std::string operator/(const std::string& name) const { return path_ + "/" + name; }

    std::string write(const std::string& name, const std::string& text) const {
        std::ofstream{*this / name, std::ios::binary} << text;
        return *this / name;
    }
    std::string read(const std::string& name) const {
        std::ifstream stream{*this / name, std::ios::binary};
        std::ostringstream text;
        text << stream.rdbuf();
        return text.str();
    }

private:
    std::string path_;
};

// Sets a variable of the environment for as long as it lives.
class Environment {
public:
    Environment(std::string name, const std::string& value) : name_{std::move(name)} {
        if (const char* before = std::getenv(name_.c_str())) before_ = before;
        setenv(name_.c_str(), value.c_str(), 1);
    }
    ~Environment() {
        if (before_.empty())
            unsetenv(name_.c_str());
        else
            setenv(name_.c_str(), before_.c_str(), 1);
    }
    Environment(const Environment&) = delete;
    Environment& operator=(const Environment&) = delete;

private:
    std::string name_;
    std::string before_;
};

}  // namespace epode::test
