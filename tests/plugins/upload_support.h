// What the tests of uploads share: a server whose files are in a folder that goes away, slots,
// puts.
#pragma once

#include "tests/plugins/answers.h"
#include "tests/stream/web_client.h"

#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace epode::upload {

inline constexpr std::string_view service = "upload.capulet.example";
inline constexpr std::string_view site = "https://capulet.example:5281";

class Stage {
public:
    explicit Stage(std::string_view toml = {}, unsigned shards = 1, std::uint64_t seed = 1)
        : folder_{makeFolder()}, server{configuration(toml), shards, seed} {}
    ~Stage() {
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }

    std::string configuration(std::string_view toml) const {
        return "upload.folder = '" + folder_ + "/uploads'\nupload.threads = 0\n" +
               std::string{toml};
    }
    // How many files there are on the disk, below a folder of the storage.
    std::size_t filesIn(const std::string& part) const {
        std::size_t count = 0;
        std::error_code none;
        for (std::filesystem::recursive_directory_iterator at{folder_ + "/uploads/" + part, none};
             !none && at != std::filesystem::recursive_directory_iterator{}; at.increment(none))
            count += at->is_regular_file();
        return count;
    }
    const std::string& folder() const { return folder_; }
    std::size_t kept() const { return filesIn("files"); }
    std::size_t incoming() const { return filesIn("incoming"); }

private:
    static std::string makeFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "epode-XXXXXX").string();
        if (!::mkdtemp(name.data())) throw std::runtime_error{"no temporary folder"};
        return name;
    }
    const std::string folder_;

public:
    TestServer server;
};

inline std::string asking(std::string_view attributes, std::string_view content = {}) {
    return "<request xmlns='urn:xmpp:http:upload:0' " + std::string{attributes} + ">" +
           std::string{content} + "</request>";
}
inline std::string fileOf(std::string_view name, std::size_t bytes, std::string_view type = {}) {
    return "filename='" + std::string{name} + "' size='" + std::to_string(bytes) + "'" +
           (type.empty() ? std::string{} : " content-type='" + std::string{type} + "'");
}
inline std::string purpose(std::string_view name, std::string_view attributes = {}) {
    return "<" + std::string{name} + " xmlns='urn:xmpp:http:upload:purpose:0' " +
           std::string{attributes} + "/>";
}

struct Slot {
    std::string put;  // paths, with the query
    std::string get;
};

inline Slot slotFrom(const std::string& answer) {
    const auto stanza = parseXml(answer, ns::client);
    const Element* slot = stanza ? (*stanza)->firstChild() : nullptr;
    if (!slot || slot->name() != "slot") throw std::runtime_error{"no slot: " + answer};
    const auto path = [](const Element& element) {
        const std::string_view url = element.get("url");
        if (!url.starts_with(site)) throw std::runtime_error{"elsewhere: " + std::string{url}};
        return std::string{url.substr(site.size())};
    };
    return {path(*slot->child("put")), path(*slot->child("get"))};
}
inline Slot slotFor(TestClient& client, std::string_view attributes,
                    std::string_view content = {}) {
    return slotFrom(client.ask("get", asking(attributes, content), service));
}

inline std::string putHead(std::string_view path, std::size_t bytes, std::string_view fields = {}) {
    return "PUT " + std::string{path} +
           " HTTP/1.1\r\nHost: capulet.example\r\nContent-Length: " + std::to_string(bytes) +
           "\r\n" + std::string{fields} + "\r\n";
}
inline std::string put(WebClient& web, std::string_view path, std::string_view body,
                       std::string_view fields = {}) {
    return web.ask(putHead(path, body.size(), fields) + std::string{body});
}
inline std::string putStatus(TestServer& server, std::string_view path, std::string_view body,
                             std::string_view fields = {}) {
    WebClient web{server};
    const auto answer = put(web, path, body, fields);
    return answer.empty() ? std::string{} : statusOf(answer);
}
inline std::string getStatus(TestServer& server, std::string_view path) {
    WebClient web{server};
    return statusOf(web.get(path));
}
// A field of an answer; "" when there is none.
inline std::string fieldOf(const std::string& answer, std::string_view name) {
    const std::string before = "\r\n" + std::string{name} + ": ";
    const auto at = answer.find(before);
    if (at == std::string::npos || at > answer.find("\r\n\r\n")) return {};
    const auto begin = at + before.size();
    return answer.substr(begin, answer.find("\r\n", begin) - begin);
}
// Announced, put, stored; where it can be fetched.
inline std::string store(TestServer& server, TestClient& client, std::string_view attributes,
                         std::string_view body, std::string_view content = {}) {
    const Slot slot = slotFor(client, attributes, content);
    const std::string status = putStatus(server, slot.put, body);
    if (status != "201") throw std::runtime_error{"not stored: " + status};
    return slot.get;
}

}  // namespace epode::upload
