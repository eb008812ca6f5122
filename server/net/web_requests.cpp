#include "net/web_requests.h"

#include <Poco/Exception.h>
#include <Poco/URI.h>
#include <curl/curl.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <map>
#include <utility>

namespace epode {

namespace {

constexpr std::size_t idleMax = 8;
// Of an answer, together with those such as 100 that come before it.
constexpr std::size_t headBytesMax = 64 * 1024;
constexpr long bufferBytes = 64 * 1024;

// One for all who trust the same: reading the system's authorities takes 15 ms and a megabyte.
X509_STORE* authorities(const std::string& file) {
    using Store = std::unique_ptr<X509_STORE, void (*)(X509_STORE*)>;
    static std::mutex mutex;
    static std::map<std::string, Store> all;
    const std::lock_guard lock{mutex};
    if (const auto found = all.find(file); found != all.end()) return found->second.get();
    Store made{X509_STORE_new(), X509_STORE_free};
    const bool isRead =
        made && (file.empty() ? X509_STORE_set_default_paths(made.get())
                              : X509_STORE_load_file(made.get(), file.c_str())) == 1;
    if (!isRead) throw WebFailure{"the authorities in " + file + " can't be read"};
    return all.emplace(file, std::move(made)).first->second.get();
}

long milliseconds(Duration time) {
    return long(std::chrono::ceil<std::chrono::milliseconds>(time).count());
}

}  // namespace

std::optional<WebOrigin> WebOrigin::parse(const std::string& url, std::string* target) {
    try {
        const Poco::URI uri{url};
        WebOrigin origin;
        if (uri.getScheme() != "https" && uri.getScheme() != "http") return std::nullopt;
        origin.isSecure = uri.getScheme() == "https";
        origin.host = uri.getHost();
        origin.port = uri.getPort();
        if (origin.host.empty() || origin.port == 0) return std::nullopt;
        if (target) *target = uri.getPathEtc();
        if (target && !target->starts_with('/')) target->insert(0, "/");
        // Poco has left its fragment on.
        if (target) target->resize(std::min(target->size(), target->find('#')));
        return origin;
    } catch (const Poco::Exception&) {
        return std::nullopt;
    }
}

std::string WebOrigin::hostField() const {
    std::string field = host.find(':') == std::string::npos ? host : "[" + host + "]";
    if (port != (isSecure ? 443 : 80)) field += ":" + std::to_string(port);
    return field;
}

std::string_view WebAnswer::field(std::string_view name) const {
    for (const HttpField& one : fields)
        if (one.name == name) return one.value;
    return {};
}

// ---- one request after the other, over a connection that curl keeps

class WebRequests::Transfer {
public:
    Transfer(const WebOrigin& origin, const std::string& trustFile)
        : origin_{origin}, trustFile_{trustFile} {
        static const CURLcode begun = curl_global_init(CURL_GLOBAL_DEFAULT);
        if (begun != CURLE_OK || !multi_ || !easy_) throw WebFailure{"there is no memory for it"};
    }

    bool fits(const WebRequest& request) const {
        return origin_ == request.origin && trustFile_ == request.trustFile;
    }
    WebAnswer run(const WebRequest& request);
    // From any thread.
    void stop() {
        isStopped_ = true;
        curl_multi_wakeup(multi_.get());
    }

private:
    template <typename Value>
    void set(CURLoption option, Value value) {
        if (curl_easy_setopt(easy_.get(), option, value) != CURLE_OK)
            throw WebFailure{"the request can't be made"};
    }
    void addField(const std::string& line) {
        curl_slist* const longer = curl_slist_append(fields_.get(), line.c_str());
        if (!longer) throw WebFailure{"there is no memory for it"};
        static_cast<void>(fields_.release());
        fields_.reset(longer);
    }
    void prepare();
    void perform();
    WebAnswer answer();
    std::string problemOf(CURLcode result) const;

    // What curl calls; 0 for bytes that were given, or an abort, ends the transfer.
    static std::size_t onSend(char* into, std::size_t, std::size_t bytes, void* self);
    static int onRewind(void* self, curl_off_t to, int) {
        static_cast<Transfer*>(self)->sent_ = std::uint64_t(to);
        static_cast<Transfer*>(self)->piece_.clear();
        return CURL_SEEKFUNC_OK;
    }
    static std::size_t onHeadLine(char*, std::size_t, std::size_t bytes, void* self) {
        auto& me = *static_cast<Transfer*>(self);
        me.headBytes_ += bytes;
        if (me.headBytes_ <= headBytesMax) return bytes;
        me.problem_ = "the head of the answer is too long";
        return 0;
    }
    static std::size_t onBody(char* data, std::size_t, std::size_t bytes, void* self) {
        auto& me = *static_cast<Transfer*>(self);
        me.body_.append(data, bytes);
        if (me.body_.size() <= me.request_->answerBytesMax) return bytes;
        me.problem_ = "the answer is too large";
        return 0;
    }
    static CURLcode onTls(CURL*, void* context, void* store) {
        SSL_CTX_set1_cert_store(static_cast<SSL_CTX*>(context), static_cast<X509_STORE*>(store));
        return CURLE_OK;
    }

    const WebOrigin origin_;
    const std::string trustFile_;
    const std::unique_ptr<CURLM, CURLMcode (*)(CURLM*)> multi_{curl_multi_init(),
                                                               curl_multi_cleanup};
    const std::unique_ptr<CURL, void (*)(CURL*)> easy_{curl_easy_init(), curl_easy_cleanup};
    std::unique_ptr<curl_slist, void (*)(curl_slist*)> fields_{nullptr, curl_slist_free_all};
    std::array<char, CURL_ERROR_SIZE> errorText_{};

    const WebRequest* request_ = nullptr;
    std::string piece_;  // of the request's body, up to `sent_`
    std::uint64_t sent_ = 0;
    std::size_t headBytes_ = 0;
    std::string body_;
    std::string problem_;  // that we have with it
    std::atomic<bool> isStopped_{false};
};

std::size_t WebRequests::Transfer::onSend(char* into, std::size_t, std::size_t bytes, void* self) {
    auto& me = *static_cast<Transfer*>(self);
    try {
        const auto left = me.request_->bodyBytes - me.sent_;
        if (left == 0) return 0;
        if (me.piece_.empty()) me.piece_ = me.request_->body(me.sent_);
        if (me.piece_.empty()) throw WebFailure{"the body has become shorter"};
        const auto now = std::size_t(std::min<std::uint64_t>({bytes, left, me.piece_.size()}));
        std::memcpy(into, me.piece_.data(), now);
        me.piece_.erase(0, now);
        me.sent_ += now;
        return now;
    } catch (const std::exception& failure) {
        me.problem_ = failure.what();
        return CURL_READFUNC_ABORT;
    }
}

void WebRequests::Transfer::prepare() {
    curl_easy_reset(easy_.get());  // its connection stays
    piece_.clear();
    body_.clear();
    problem_.clear();
    sent_ = headBytes_ = 0;
    errorText_[0] = '\0';

    const std::string authority = origin_.hostField();
    fields_.reset();
    addField("Host: " + authority);
    for (const char* name : {"Accept:", "Expect:", "Content-Type:"}) addField(name);  // no defaults
    for (const HttpField& field : request_->fields) addField(field.name + ": " + field.value);
    set(CURLOPT_HTTPHEADER, fields_.get());
    set(CURLOPT_URL, ((origin_.isSecure ? "https://" : "http://") + authority).c_str());
    set(CURLOPT_REQUEST_TARGET, request_->target.c_str());
    if (request_->method == "HEAD") {
        set(CURLOPT_NOBODY, 1L);
    } else if (request_->bodyBytes > 0 || request_->method == "PUT" || request_->method == "POST") {
        set(CURLOPT_UPLOAD, 1L);
        set(CURLOPT_INFILESIZE_LARGE, curl_off_t(request_->bodyBytes));
    }
    set(CURLOPT_CUSTOMREQUEST, request_->method.c_str());
    set(CURLOPT_READFUNCTION, &Transfer::onSend);
    set(CURLOPT_READDATA, this);
    set(CURLOPT_SEEKFUNCTION, &Transfer::onRewind);
    set(CURLOPT_SEEKDATA, this);
    set(CURLOPT_HEADERFUNCTION, &Transfer::onHeadLine);
    set(CURLOPT_HEADERDATA, this);
    set(CURLOPT_WRITEFUNCTION, &Transfer::onBody);
    set(CURLOPT_WRITEDATA, this);
    set(CURLOPT_ERRORBUFFER, errorText_.data());
    set(CURLOPT_BUFFERSIZE, bufferBytes);
    set(CURLOPT_HTTP_VERSION, long(CURL_HTTP_VERSION_1_1));
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_PROXY, "");
    set(CURLOPT_NOSIGNAL, 1L);
    // Whoever gives up waits for no name that is still looked up: that thread ends by itself.
    set(CURLOPT_QUICK_EXIT, 1L);
    set(CURLOPT_TIMEOUT_MS, milliseconds(request_->deadline));
    set(CURLOPT_CONNECTTIMEOUT_MS, milliseconds(request_->patience));
    set(CURLOPT_LOW_SPEED_LIMIT, 1L);
    set(CURLOPT_LOW_SPEED_TIME, (milliseconds(request_->patience) + 999) / 1000);
    if (!origin_.isSecure) return;
    set(CURLOPT_SSLVERSION, long(CURL_SSLVERSION_TLSv1_2));
    set<const char*>(CURLOPT_CAINFO, nullptr);
    set<const char*>(CURLOPT_CAPATH, nullptr);
    set(CURLOPT_SSL_CTX_FUNCTION, &Transfer::onTls);
    set(CURLOPT_SSL_CTX_DATA, authorities(trustFile_));
}

void WebRequests::Transfer::perform() {
    while (true) {
        if (isStopped_) throw WebFailure{"the server stops"};
        int running = 0;
        if (curl_multi_perform(multi_.get(), &running) != CURLM_OK)
            throw WebFailure{"the connection can't be used"};
        int left = 0;
        while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
            if (message->msg != CURLMSG_DONE) continue;
            if (message->data.result == CURLE_OK) return;
            throw WebFailure{problemOf(message->data.result)};
        }
        // Less, when curl has something to do earlier.
        curl_multi_poll(multi_.get(), nullptr, 0, 60'000, nullptr);
    }
}

std::string WebRequests::Transfer::problemOf(CURLcode result) const {
    if (!problem_.empty()) return problem_;
    const std::string text = errorText_[0] ? errorText_.data() : curl_easy_strerror(result);
    if (result == CURLE_PEER_FAILED_VERIFICATION) return "the certificate is not good: " + text;
    if (result != CURLE_OPERATION_TIMEDOUT) return text;
    curl_off_t taken = 0;
    curl_easy_getinfo(easy_.get(), CURLINFO_TOTAL_TIME_T, &taken);
    return std::chrono::microseconds{taken} + std::chrono::milliseconds{10} >= request_->deadline
               ? "it takes too long"
               : "the other side does not answer";
}

WebAnswer WebRequests::Transfer::answer() {
    WebAnswer answer;
    long status = 0;
    curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
    answer.status = int(status);
    answer.body = std::move(body_);
    const curl_header* at = nullptr;
    while (
        (at = curl_easy_nextheader(easy_.get(), CURLH_HEADER, -1, const_cast<curl_header*>(at)))) {
        HttpField field{at->name, at->value};
        for (char& c : field.name)
            if (c >= 'A' && c <= 'Z') c = char(c - 'A' + 'a');
        // curl is broad-minded there.
        const auto told = answer.field(field.name);
        const bool isNumber = field.value.find_first_not_of("0123456789") == std::string::npos;
        if (field.name == "content-length" && (!isNumber || (!told.empty() && told != field.value)))
            throw WebFailure{"the answer tells its length badly"};
        if (field.name == "transfer-encoding" && !equalIgnoringCase(field.value, "chunked"))
            throw WebFailure{"the answer has an unknown encoding"};
        answer.fields.push_back(std::move(field));
    }
    if (!answer.field("content-length").empty() && !answer.field("transfer-encoding").empty())
        throw WebFailure{"the answer tells its length twice"};
    return answer;
}

WebAnswer WebRequests::Transfer::run(const WebRequest& request) {
    request_ = &request;
    prepare();
    if (curl_multi_add_handle(multi_.get(), easy_.get()) != CURLM_OK)
        throw WebFailure{"the connection can't be used"};
    struct Leave {
        Transfer& transfer;
        ~Leave() { curl_multi_remove_handle(transfer.multi_.get(), transfer.easy_.get()); }
    } const leave{*this};
    perform();
    return answer();
}

// ---- many

WebRequests::WebRequests() = default;
WebRequests::~WebRequests() = default;

std::unique_ptr<WebRequests::Transfer> WebRequests::take(const WebRequest& request) {
    std::unique_ptr<Transfer> transfer;
    const std::lock_guard lock{mutex_};
    if (isStopped_) throw WebFailure{"the server stops"};
    const auto found = std::find_if(idle_.rbegin(), idle_.rend(),
                                    [&](const auto& one) { return one->fits(request); });
    if (found != idle_.rend()) {
        transfer = std::move(*found);
        idle_.erase(std::next(found).base());
    } else {
        transfer = std::make_unique<Transfer>(request.origin, request.trustFile);
    }
    busy_.insert(transfer.get());
    return transfer;
}

void WebRequests::giveBack(std::unique_ptr<Transfer> transfer, bool isGood) {
    std::unique_ptr<Transfer> oldest;  // ends without the lock
    const std::lock_guard lock{mutex_};
    busy_.erase(transfer.get());
    if (isGood && idle_.size() == idleMax) {
        oldest = std::move(idle_.front());
        idle_.erase(idle_.begin());
    }
    (isGood ? idle_.emplace_back() : oldest) = std::move(transfer);
}

WebAnswer WebRequests::ask(const WebRequest& request) {
    auto transfer = take(request);
    try {
        WebAnswer answer = transfer->run(request);
        giveBack(std::move(transfer), true);
        return answer;
    } catch (...) {
        giveBack(std::move(transfer), false);
        throw;
    }
}

void WebRequests::stop() {
    const std::lock_guard lock{mutex_};
    isStopped_ = true;
    for (Transfer* transfer : busy_) transfer->stop();
}

}  // namespace epode
