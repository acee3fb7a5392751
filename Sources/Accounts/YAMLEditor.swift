// COLD. Changing keys of one account in a YAML file by the places of its nodes; all other lines stay as they are.
import Settings
import Yams

/// A users file in YAML as lines, and where its accounts are.
///
/// What it makes of a file is checked by its caller, who reads it again.
struct YAMLEditor: UserTextEditor {
    /// An account in the file; all lines and columns from 0.
    private struct Block {
        var canonical: String
        /// The line with its "-".
        var first: Int
        /// The line after its last one that is neither blank nor a comment.
        var end: Int
        /// Column of its keys.
        var indent: Int
        var keys: [(name: String, line: Int)]
        var isFlow: Bool

        /// Column of its "-".
        func dash(in lines: [String]) -> Int { lines[first].prefix { $0 == " " }.count }
    }

    private let path: String
    private let lineEnd: String
    private let lines: [String]
    private let blocks: [Block]
    /// The line of the key `users`, if it is there, and whether its list is `[]` or nothing.
    private let users: (line: Int, isEmpty: Bool, isFlow: Bool)?

    init(text: String, path: String) throws(UserFileError) {
        self.path = path
        lineEnd = text.contains("\r\n") ? "\r\n" : "\n"
        lines = UsersHtpasswd.lines(text).map(String.init)
        let decoding = Decoding(baseDirectory: "/", files: NoFiles())
        guard let root = UserTree(decoding: decoding).compose(text), case .mapping(let top) = root else {
            throw UserFileError(decoding.diagnostics)
        }
        guard let entry = top.first(where: { $0.key.string == "users" }) else {
            (blocks, users) = ([], nil)
            return
        }
        let line = (entry.key.mark?.line ?? 1) - 1
        guard case .sequence(let list) = entry.value, !Self.isFlow(entry.value, lines) else {
            let isEmpty = entry.value.sequence?.isEmpty ?? true
            (blocks, users) = ([], (line, isEmpty, true))
            return
        }
        blocks = Self.blocks(list, lines)
        users = (line, list.isEmpty, false)
    }

    func adding(_ account: Account) throws(UserFileError) -> String {
        var lines = lines
        guard let users else {
            while lines.last?.isEmpty ?? false { lines.removeLast() }
            return joined(lines + ["users:"] + UserText.block(account, dash: 2))
        }
        if let last = blocks.last {
            lines.insert(contentsOf: UserText.block(account, dash: last.dash(in: lines)), at: last.end)
            return joined(lines)
        }
        guard users.isEmpty else {
            throw UserFileError(path, "users is written on one line; write a line for each account")
        }
        lines.replaceSubrange(users.line...users.line, with: ["users:"] + UserText.block(account, dash: 2))
        return joined(lines)
    }

    func changing(_ old: Account, to new: Account) throws(UserFileError) -> String {
        let block = try block(old.canonical)
        var lines = lines
        if block.isFlow {
            lines.replaceSubrange(block.first..<block.end, with: UserText.block(new, dash: block.dash(in: lines)))
            return joined(lines)
        }
        let before = UserText.fields(old)
        let after = UserText.fields(new)
        // From the end to the beginning, so that the places of the keys before stay true.
        // What was written for another hash goes with it, whatever it said.
        let isNewHash = before["password"] != after["password"]
        let changed = UserText.keys.filter { before[$0] != after[$0] || $0 == "password_id" && isNewHash }
        for key in block.keys.reversed() where changed.contains(key.name) {
            lines = replacing(key.name, with: after[key.name], in: lines, block)
        }
        let missing = changed.filter { name in after[name] != nil && !block.keys.contains { $0.name == name } }
        let added = missing.flatMap { UserText.lines($0, after[$0], indent: block.indent) }
        // Behind the block, whose length the changes above have moved.
        lines.insert(contentsOf: added, at: block.end + lines.count - self.lines.count)
        return joined(lines)
    }

    func removing(_ canonical: String) throws(UserFileError) -> String {
        let block = try block(canonical)
        var lines = lines
        lines.removeSubrange(block.first..<block.end)
        if blocks.count == 1, let users { lines[users.line] = "users: []" }
        return joined(lines)
    }

    // MARK: Lines

    private func block(_ canonical: String) throws(UserFileError) -> Block {
        guard let block = blocks.first(where: { $0.canonical == canonical }) else {
            throw UserFileError(path, "users is written on one line; write a line for each account")
        }
        return block
    }

    private func replacing(_ name: String, with value: UserText.Value?, in lines: [String], _ block: Block) -> [String]
    {
        guard let index = block.keys.firstIndex(where: { $0.name == name }) else { return lines }
        let start = block.keys[index].line
        let next = index + 1 < block.keys.count ? block.keys[index + 1].line : block.end
        var end = next
        while end > start + 1, Self.isBlank(lines[end - 1]) { end -= 1 }
        var written = UserText.lines(name, value, indent: block.indent)
        // The first key stands behind the "-", which stays.
        if start == block.first || index == 0 {
            let dash = String(lines[start].prefix(block.indent))
            if written.isEmpty, next < block.end {
                var lines = lines
                lines[next] = dash + lines[next].dropFirst(block.indent)
                lines.removeSubrange(start..<next)
                return lines
            }
            if let first = written.first { written[0] = dash + first.dropFirst(block.indent) }
        }
        var lines = lines
        lines.replaceSubrange(start..<end, with: written)
        return lines
    }

    private func joined(_ lines: [String]) -> String {
        let text = lines.joined(separator: lineEnd)
        return text.isEmpty || text.hasSuffix(lineEnd) ? text : text + lineEnd
    }

    // MARK: Places

    private static func blocks(_ list: Node.Sequence, _ lines: [String]) -> [Block] {
        var starts: [Int] = []
        for node in list { starts.append(dashLine(of: node, lines)) }
        return list.enumerated().compactMap { index, node -> Block? in
            guard case .mapping(let mapping) = node, let mark = node.mark,
                let name = mapping.first(where: { $0.key.string == "name" })?.value.string,
                let canonical = AccountName.canonical(name)
            else { return nil }
            let first = starts[index]
            var end = index + 1 < starts.count ? starts[index + 1] : end(after: first, lines)
            while end > first + 1, isBlank(lines[end - 1]) { end -= 1 }
            return Block(
                canonical: canonical,
                first: first,
                end: end,
                indent: mark.column - 1,
                keys: mapping.compactMap { key, _ in
                    guard let name = key.string, let line = key.mark?.line else { return nil }
                    return (name, line - 1)
                },
                isFlow: isFlow(node, lines)
            )
        }
    }

    /// The line of the "-" of an element: its own, or one above that holds nothing else.
    private static func dashLine(of node: Node, _ lines: [String]) -> Int {
        guard let mark = node.mark else { return 0 }
        var line = mark.line - 1
        let before = lines[line].unicodeScalars.prefix(mark.column - 1)
        if before.contains("-") { return line }
        while line > 0 {
            line -= 1
            if lines[line].contains("-"), !isBlank(lines[line]) { return line }
        }
        return mark.line - 1
    }

    /// The first line that is no part of the last element: indented less than its "-", or at the end.
    private static func end(after first: Int, _ lines: [String]) -> Int {
        let dash = lines[first].prefix { $0 == " " }.count
        for line in (first + 1)..<max(first + 1, lines.count) where !isBlank(lines[line]) {
            if lines[line].prefix(while: { $0 == " " }).count <= dash { return line }
        }
        return lines.count
    }

    /// Whether a node is written with braces or brackets, by what stands at its place.
    private static func isFlow(_ node: Node, _ lines: [String]) -> Bool {
        guard let mark = node.mark, lines.indices.contains(mark.line - 1) else { return false }
        let first = lines[mark.line - 1].unicodeScalars.dropFirst(mark.column - 1).first
        return first == "{" || first == "["
    }

    private static func isBlank(_ line: String) -> Bool {
        guard let first = line.first(where: { $0 != " " && $0 != "\t" && $0 != "\r" }) else { return true }
        return first == "#"
    }
}
