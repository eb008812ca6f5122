#include "plugin/plugin_library.h"

#include "core/metric.h"

#include <dlfcn.h>
#include <link.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <iterator>
#include <mutex>

namespace epode {

namespace {

std::string readFile(const std::filesystem::path& file) {
    std::ifstream stream{file, std::ios::binary};
    if (!stream) throw PluginError{"There is no plugin at " + file.string() + "."};
    return {std::istreambuf_iterator<char>{stream}, {}};
}

void checkBytes(const std::filesystem::path& file, std::string_view bytes) {
    const std::string_view magic{pluginMagic, sizeof pluginMagic};
    const auto at = bytes.find(magic);
    if (at == std::string_view::npos || at + sizeof(PluginMark) > bytes.size())
        throw PluginError{file.string() +
                          " is no plugin of Epode (it has no epodePluginMark); remove it from " +
                          file.parent_path().string() + "."};
    unsigned abi = 0;
    std::memcpy(&abi, bytes.data() + at + offsetof(PluginMark, abi), sizeof abi);
    if (abi != pluginAbi)
        throw PluginError{"The plugin " + file.string() + " was built for plugin interface " +
                          std::to_string(abi) + ", this server has " + std::to_string(pluginAbi) +
                          "; build it anew against the headers of this server, or remove it from " +
                          file.parent_path().string() + "."};
}

// The file of the copy is gone as soon as it is mapped.
class TemporaryCopy {
public:
    explicit TemporaryCopy(std::string_view bytes)
        : path_{(std::filesystem::temp_directory_path() / "epode-plugin-XXXXXX").string()} {
        const int out = ::mkstemp(path_.data());
        if (out < 0) throw PluginError{"No temporary file can be made: " + path_};
        while (!bytes.empty()) {
            const auto written = ::write(out, bytes.data(), bytes.size());
            if (written <= 0) break;
            bytes.remove_prefix(std::size_t(written));
        }
        ::close(out);
        if (bytes.empty()) return;
        ::unlink(path_.c_str());
        throw PluginError{"The temporary file " + path_ + " can't be written."};
    }
    ~TemporaryCopy() { ::unlink(path_.c_str()); }
    TemporaryCopy(const TemporaryCopy&) = delete;
    TemporaryCopy& operator=(const TemporaryCopy&) = delete;
    const std::string& path() const { return path_; }

private:
    std::string path_;
};

// Local: two versions of one plugin have symbols of the same names. Now: what is missing is told
// when it is loaded, not when it is called.
void* map(const std::filesystem::path& file, const std::string& path) {
    void* handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        const char* reason = ::dlerror();
        throw PluginError{
            "The plugin " + file.string() +
            " can't be loaded: " + (reason ? reason : "unknown reason") +
            ". If a symbol is undefined, build it anew against the headers of this server."};
    }
    return handle;
}

}  // namespace

void checkPluginFile(const std::filesystem::path& file) { checkBytes(file, readFile(file)); }

PluginLibrary::PluginLibrary(const std::filesystem::path& file, Mapping mapping) : file_{file} {
    const std::string bytes = readFile(file);
    checkBytes(file, bytes);
    // One at a time, so that its metrics are known.
    static std::mutex mutex;
    const std::lock_guard lock{mutex};
    const std::size_t mark = Metric::mark();
    void* handle = nullptr;
    if (mapping == Mapping::Copy) {
        const TemporaryCopy copy{bytes};
        handle = map(file, copy.path());
    } else {
        handle = map(file, file.string());
    }
    metrics_ = Metric::madeSince(mark);
    // Until somebody uses it.
    for (Metric* metric : metrics_) metric->setHidden(true);
    using Function = const PluginEntry* (*)();
    const auto function = reinterpret_cast<Function>(::dlsym(handle, "epodePlugin"));
    if (!function)
        throw PluginError{file.string() + " is no plugin of Epode (it has no epodePlugin)."};
    entry_ = function();
    if (entry_->info->name != file.stem().string())
        throw PluginError{"The plugin in " + file.string() + " calls itself \"" +
                          std::string{entry_->info->name} + "\"; its file must have its name."};
    findCode();
}

void PluginLibrary::findCode() {
    struct Search {
        std::uintptr_t inside;
        std::uintptr_t begin = 0, end = 0;
    };
    Search search{reinterpret_cast<std::uintptr_t>(entry_->make)};
    ::dl_iterate_phdr(
        [](dl_phdr_info* library, std::size_t, void* data) {
            auto& wanted = *static_cast<Search*>(data);
            std::uintptr_t begin = UINTPTR_MAX, end = 0;
            for (int i = 0; i < library->dlpi_phnum; ++i) {
                const auto& part = library->dlpi_phdr[i];
                if (part.p_type != PT_LOAD) continue;
                begin = std::min<std::uintptr_t>(begin, library->dlpi_addr + part.p_vaddr);
                end =
                    std::max<std::uintptr_t>(end, library->dlpi_addr + part.p_vaddr + part.p_memsz);
            }
            if (wanted.inside < begin || wanted.inside >= end) return 0;
            wanted.begin = begin;
            wanted.end = end;
            return 1;
        },
        &search);
    codeBegin_ = reinterpret_cast<const void*>(search.begin);
    codeEnd_ = reinterpret_cast<const void*>(search.end);
}

}  // namespace epode
