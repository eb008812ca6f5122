// The interface for people: a page of HTML without any script, and the same as Markdown for
// docs/reference.
#include "service.h"

#include "core/base64.h"
#include "core/digest.h"
#include "core/element.h"

#include <algorithm>

namespace epode::rest {

namespace {

constexpr std::string_view style = R"(
:root { color-scheme: light dark; --ink: #1c1d22; --soft: #5c606b; --line: #d9dbe2; --paper: #fff;
  --tint: #f4f5f8; --get: #1f6f4a; --post: #1f4f8f; --put: #80540a; --delete: #a02c2c; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e9ee; --soft: #a3a7b3; --line: #383b45;
  --paper: #15161a; --tint: #1e2026; --get: #6fcf9f; --post: #86b5f5; --put: #e0b060; --delete: #f08c8c; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 52rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.8rem; margin: 0 0 .25rem; } h2 { margin: 2.5rem 0 .5rem; font-size: 1.3rem; }
p { margin: .5rem 0; } .soft { color: var(--soft); }
code, pre { font: .875em/1.5 ui-monospace, monospace; }
pre { background: var(--tint); border: 1px solid var(--line); border-radius: 6px; padding: .75rem; overflow-x: auto; }
nav { display: flex; flex-wrap: wrap; gap: .25rem 1rem; margin: 1rem 0; } a { color: inherit; }
details { border: 1px solid var(--line); border-radius: 6px; margin: .5rem 0; }
summary { cursor: pointer; padding: .6rem .75rem; overflow-wrap: anywhere; }
summary b { display: inline-block; min-width: 4.8rem; } details > div { padding: 0 .75rem .75rem; }
.GET { color: var(--get); } .POST { color: var(--post); } .PUT, .PATCH { color: var(--put); }
.DELETE { color: var(--delete); }
.table { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: .9375rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .75rem .35rem 0; border-top: 1px solid var(--line); }
th { font-weight: 600; border: 0; }
)";

std::string escaped(std::string_view text) {
    std::string out;
    escapeAttribute(out, text);
    return out;
}

std::string kindOf(const Field& field) {
    std::string kind;
    switch (field.kind) {
        case Kind::Text:
        case Kind::Secret:
            kind = "text";
            if (field.most > 0 && field.many == Many::No)
                kind += ", " + std::to_string(field.most) + " bytes at most";
            break;
        case Kind::Address:
            kind = "address";
            break;
        case Kind::Integer:
            kind = "whole number";
            if (field.most > 0)
                kind +=
                    " from " + std::to_string(field.least) + " to " + std::to_string(field.most);
            break;
        case Kind::Boolean:
            kind = "true or false";
            break;
        case Kind::Time:
            kind = "time";
            break;
        case Kind::Id:
            kind = "id";
            break;
        case Kind::Choice:
            for (const auto choice : field.choices)
                kind.append(kind.empty() ? "" : ", ").append(choice);
            break;
        case Kind::Object:
            kind = field.schema;
            break;
        case Kind::Any:
            kind = "object";
            break;
    }
    if (field.many == Many::No) return kind;
    return "list of: " + kind +
           (field.most > 0 ? "; " + std::to_string(field.most) + " at most" : std::string{});
}

std::string_view placeOf(In in) {
    switch (in) {
        case In::Path:
            return "path";
        case In::Query:
            return "query";
        case In::Header:
            return "header";
        case In::Body:
            return "body";
    }
    return "";
}

void addTable(std::string& out, const std::vector<Field>& fields, bool isRequest) {
    if (fields.empty()) return;
    out += "<div class=table><table><tr><th>Name</th>";
    if (isRequest) out += "<th>In</th>";
    out += "<th>Kind</th><th></th></tr>";
    for (const Field& field : fields) {
        out.append("<tr><td><code>").append(escaped(field.name)).append("</code></td>");
        if (isRequest) out.append("<td>").append(placeOf(field.in)).append("</td>");
        out.append("<td>").append(escaped(kindOf(field)));
        if (isRequest && field.need == Need::Required) out += ", needed";
        out.append("</td><td>").append(escaped(field.help)).append("</td></tr>");
    }
    out += "</table></div>";
}

void addOperation(std::string& out, const OperationInfo& operation) {
    const auto method = toText(operation.method);
    out.append("<details id=\"")
        .append(operation.id)
        .append("\"><summary><b class=")
        .append(method);
    out.append(">").append(method).append("</b> <code>").append(escaped(operation.path));
    out.append("</code> <span class=soft>").append(escaped(operation.summary));
    out += "</span></summary><div>";
    if (!operation.details.empty())
        out.append("<p>").append(escaped(operation.details)).append("</p>");
    if (operation.scope != Scope::None)
        out.append("<p>Scope: <code>").append(toText(operation.scope)).append("</code></p>");
    addTable(out, operation.fields, true);
    out.append("<p>Answer: ").append(std::to_string(operation.status));
    if (operation.status != 204)
        out.append(", <code>").append(escaped(operation.answerType)).append("</code>");
    out += "</p>";
    addTable(out, operation.answer, false);
    out += "</div></details>";
}

std::vector<std::string_view> groups() {
    std::vector<std::string_view> all;
    for (const Operation& operation : Service::operations())
        if (std::find(all.begin(), all.end(), operation.group) == all.end())
            all.push_back(operation.group);
    return all;
}

void addProblems(std::string& out) {
    out +=
        "<h2 id=problems>Problems</h2><p>What goes wrong is told as "
        "<code>application/problem+json</code> (RFC 9457); the end of its <code>type</code> is a "
        "word for programs.</p><div class=table><table><tr><th>Status</th><th>Word</th>"
        "<th></th></tr>";
    for (const ProblemKind& kind : problemKinds())
        out.append("<tr id=\"problem-")
            .append(kind.word)
            .append("\"><td>")
            .append(std::to_string(kind.status))
            .append("</td><td><code>")
            .append(kind.word)
            .append("</code></td><td>")
            .append(escaped(kind.title))
            .append("</td></tr>");
    out += "</table></div>";
}

}  // namespace

std::string humanPage() {
    std::string out;
    out.append(
           "<!DOCTYPE html><html lang=en><head><meta charset=utf-8>"
           "<meta name=viewport content=\"width=device-width, initial-scale=1\">"
           "<title>REST</title><style>")
        .append(style)
        .append("</style></head><body><main>");
    out.append(
           "<h1>REST</h1><p class=soft>Chat for bots and pages. All of this for programs: "
           "<a href=\"")
        .append(basePath)
        .append("/openapi.json\">openapi.json</a> (OpenAPI 3.1).</p>");
    out.append("<p>A token for a password, and then everything with the token:</p><pre>");
    out.append("API=https://chat.example.org").append(basePath).append("\n");
    out.append(
        "curl $API/login -H 'Content-Type: application/json' \\\n"
        "  -d '{\"username\": \"juliet\", \"password\": \"…\"}'\n"
        "curl $API/messages -H 'Authorization: Bearer …' \\\n"
        "  -H 'Content-Type: application/json' -H 'Idempotency-Key: 1' \\\n"
        "  -d '{\"to\": \"romeo@montague.example\", \"body\": \"Hello.\"}'</pre><nav>");
    for (const auto group : groups())
        out.append("<a href=\"#").append(group).append("\">").append(group).append("</a>");
    out += "<a href=\"#problems\">Problems</a></nav>";
    for (const auto group : groups()) {
        out.append("<h2 id=\"").append(group).append("\">").append(group).append("</h2>");
        for (const Operation& operation : Service::operations())
            if (operation.group == group) addOperation(out, operation);
    }
    out += "<h2>Scopes</h2><div class=table><table>";
    for (const Scope scope : allScopes)
        out.append("<tr><td><code>")
            .append(toText(scope))
            .append("</code></td><td>")
            .append(escaped(helpOf(scope)))
            .append("</td></tr>");
    out += "</table></div><h2>Objects</h2>";
    for (const Schema& schema : schemas()) {
        out.append("<details><summary><code>")
            .append(schema.name)
            .append("</code> <span class=soft>")
            .append(escaped(schema.help))
            .append("</span></summary><div>");
        addTable(out, schema.fields, false);
        out += "</div></details>";
    }
    addProblems(out);
    return out + "</main></body></html>\n";
}

Task<Outcome> Service::showPage(Call&) {
    static const std::string policy =
        "default-src 'none'; style-src 'sha256-" + encodeBase64(digest(Hash::Sha256, style)) +
        "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    Answer answer;
    answer.type = "text/html; charset=utf-8";
    answer.body = page_;
    answer.fields = {{"Cache-Control", "public, max-age=300"},
                     {"Content-Security-Policy", policy},
                     {"Referrer-Policy", "no-referrer"}};
    co_return answer;
}

// ---- Markdown

namespace {

std::string cell(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '|') out += '\\';
        out += c;
    }
    return out;
}

void addMarkdownTable(std::string& out, const std::vector<Field>& fields, bool isRequest) {
    if (fields.empty()) return;
    out += isRequest ? "| name | in | kind | |\n| --- | --- | --- | --- |\n"
                     : "| name | kind | |\n| --- | --- | --- |\n";
    for (const Field& field : fields) {
        out.append("| `").append(field.name).append("` | ");
        if (isRequest) out.append(placeOf(field.in)).append(" | ");
        out.append(cell(kindOf(field)));
        if (isRequest && field.need == Need::Required) out += ", needed";
        out.append(" | ").append(cell(field.help)).append(" |\n");
    }
    out += "\n";
}

}  // namespace

std::string referencePage() {
    std::string out =
        "# REST\n\nEverything that can be asked for below `/api/v1`, made from the declarations in "
        "`plugins/rest/operations.cpp`. [rest.md](../rest.md) shows it in use.\n\n";
    for (const auto group : groups()) {
        out.append("## ").append(group).append("\n\n");
        for (const Operation& operation : Service::operations()) {
            if (operation.group != group) continue;
            out.append("### ").append(toText(operation.method)).append(" `").append(operation.path);
            out.append("`\n\n").append(operation.summary).append(".");
            if (!operation.details.empty()) out.append(" ").append(operation.details);
            if (operation.scope != Scope::None)
                out.append(" Scope: `").append(toText(operation.scope)).append("`.");
            out += "\n\n";
            addMarkdownTable(out, operation.fields, true);
            out.append("Answer: ").append(std::to_string(operation.status));
            if (operation.status != 204) out.append(", `").append(operation.answerType).append("`");
            out += ".\n\n";
            addMarkdownTable(out, operation.answer, false);
        }
    }
    out += "## Scopes\n\n| scope | |\n| --- | --- |\n";
    for (const Scope scope : allScopes)
        out.append("| `").append(toText(scope)).append("` | ").append(helpOf(scope)).append(" |\n");
    out += "\n## Objects\n\n";
    for (const Schema& schema : schemas()) {
        out.append("### ").append(schema.name).append("\n\n").append(schema.help).append("\n\n");
        addMarkdownTable(out, schema.fields, false);
    }
    out += "## Problems\n\n| status | word | |\n| --- | --- | --- |\n";
    for (const ProblemKind& kind : problemKinds())
        out.append("| ")
            .append(std::to_string(kind.status))
            .append(" | `")
            .append(kind.word)
            .append("` | ")
            .append(kind.title)
            .append(" |\n");
    return out;
}

}  // namespace epode::rest
