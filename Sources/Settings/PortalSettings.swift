// COLD. The pages that people log in with: where they are, how they look, and where they lead.

/// The section `portal`.
public struct PortalSettings: SettingsSection {
    /// Where its paths begin, without a slash at the end; reserved before routing.
    public var prefix = "/auth"
    /// Name of the site, in headings.
    public var title = "Portcullis"
    /// Image in place of mark and name; nil: none.
    public var logo: FileReference?
    /// Folder with templates and style sheet that replace built-in ones, resolved; nil: none.
    public var templates: String?
    /// Folder with texts that replace built-in ones or add languages, resolved; nil: none.
    public var strings: String?
    /// Languages that are offered, in this order; empty: all that there are.
    public var languages: [String] = []
    /// Language for readers whose languages there are not.
    public var defaultLanguage = "en"
    /// Where a login leads when nothing else was asked for: a local path.
    public var afterLogin = "/"
    /// Where a logout leads: a local path or a URL; nil: to a page that says so.
    public var afterLogout: String?
    /// Where the keys were written.
    public var marks = Marks()

    /// All defaults.
    public init() {}
}
