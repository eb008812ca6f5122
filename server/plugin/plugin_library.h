// A plugin's shared object in memory.
#pragma once

#include "plugin/plugin.h"

#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

namespace epode {

class Metric;

// A plugin can't be found or loaded, or was built for another server. The text says what to do.
class PluginError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

// Once mapped it stays so until the process ends, also when its plugin is unloaded or replaced:
// what it has wired may still be held by work that ends later, and a constant of it by anybody.
// That is simple and safe, and costs some hundred kilobytes for each reload.
class PluginLibrary {
public:
    // A copy under a name of its own is what the dynamic linker maps when `Mapping::Copy` is asked
    // for: it takes a path or an inode that it knows for the library that it has already, and a
    // file that is written over while it is mapped would change under the running code.
    enum class Mapping { File, Copy };
    PluginLibrary(const std::filesystem::path& file, Mapping mapping);
    PluginLibrary(const PluginLibrary&) = delete;
    PluginLibrary& operator=(const PluginLibrary&) = delete;

    const std::filesystem::path& file() const { return file_; }
    const PluginEntry& entry() const { return *entry_; }
    // Where its code is.
    const void* codeBegin() const { return codeBegin_; }
    const void* codeEnd() const { return codeEnd_; }
    // The metrics that it declares.
    const std::vector<Metric*>& metrics() const { return metrics_; }

private:
    void findCode();

    std::filesystem::path file_;
    const PluginEntry* entry_ = nullptr;
    const void* codeBegin_ = nullptr;
    const void* codeEnd_ = nullptr;
    std::vector<Metric*> metrics_;
};

// The interface that a file was built for, read without running any of its code. Throws PluginError
// when it is no plugin, or one of another interface than this server's.
void checkPluginFile(const std::filesystem::path& file);

}  // namespace epode
