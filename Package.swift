// swift-tools-version: 6.2
import PackageDescription

// A target imports only what is listed here; `Tests/soundness` checks the two walls
// (wire code never sees a principal, authentication code never touches a socket).

let warningsAreErrors: [SwiftSetting] =
    Context.environment["PORTCULLIS_STRICT"] == nil ? [] : [.treatAllWarnings(as: .error)]

let cold: [SwiftSetting] =
    [
        .swiftLanguageMode(.v6),
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"),
    ] + warningsAreErrors

/// Hot targets: lifetimes for spans, and no dynamic exclusivity checks in release builds (a fifth of the user
/// instructions of a request; debug builds and all tests keep them).
let hot: [SwiftSetting] =
    cold + [
        .enableExperimentalFeature("Lifetimes"),
        .unsafeFlags(["-enforce-exclusivity=unchecked", "-cross-module-optimization"], .when(configuration: .release)),
    ]

/// Targets that read bytes from outside: every unsafe use is spelled out.
let guarded: [SwiftSetting] = hot + [.strictMemorySafety()]

let package = Package(
    name: "portcullis",
    platforms: [.macOS(.v15)],
    products: [.executable(name: "portcullis", targets: ["portcullis"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.1.1"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        .systemLibrary(name: "CLinux"),
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CNghttp2", pkgConfig: "libnghttp2", providers: [.apt(["libnghttp2-dev"])]),

        .systemLibrary(name: "CArgon2", pkgConfig: "libargon2", providers: [.apt(["libargon2-dev"])]),
        .systemLibrary(name: "CCrypt", providers: [.apt(["libcrypt-dev"])]),
        .systemLibrary(name: "CHiredis", providers: [.apt(["libhiredis-dev"])]),
        .systemLibrary(name: "CQrencode", pkgConfig: "libqrencode", providers: [.apt(["libqrencode-dev"])]),

        .target(name: "Settings", swiftSettings: cold),
        .target(name: "Bytes", dependencies: ["CLinux"], swiftSettings: hot),
        .target(name: "HTTP", dependencies: ["Bytes"], swiftSettings: guarded),
        .target(name: "HTTP2", dependencies: ["Bytes", "HTTP", "CNghttp2"], swiftSettings: hot),
        .target(name: "JOSE", dependencies: ["Bytes", "COpenSSL"], swiftSettings: guarded),
        .target(name: "Reactor", dependencies: ["Bytes", "CLinux"], swiftSettings: hot),
        .target(name: "TLS", dependencies: ["Bytes", "Reactor", "COpenSSL", "CLinux"], swiftSettings: hot),
        .target(name: "Identity", dependencies: ["Settings", "Bytes", "HTTP", "JOSE"], swiftSettings: guarded),
        .target(
            name: "Policy",
            dependencies: ["Settings", "Bytes", "HTTP", "JOSE", "Identity"],
            swiftSettings: guarded
        ),
        .target(
            name: "Upstreams",
            dependencies: ["Settings", "Bytes", "HTTP", "Reactor", "CLinux"],
            swiftSettings: hot
        ),
        .target(
            name: "Telemetry",
            dependencies: ["Settings", "Bytes", "Reactor", "COpenSSL", "CLinux"],
            swiftSettings: hot
        ),
        .target(
            name: "Accounts",
            dependencies: [
                "Settings", "Bytes", "CLinux", "COpenSSL", "CArgon2", "CCrypt", "CQrencode",
                .product(name: "Yams", package: "Yams"),
            ],
            swiftSettings: cold
        ),
        .target(
            name: "Sessions",
            dependencies: [
                "Settings", "Bytes", "Reactor", "TLS", "COpenSSL", "CHiredis", "CLinux",
                .product(name: "GRDB", package: "GRDB.swift"),
            ],
            swiftSettings: cold
        ),
        .target(
            name: "Portal",
            dependencies: [
                "Settings", "Bytes", "JOSE", "COpenSSL", "Accounts", "Sessions", "Telemetry",
                .product(name: "Mustache", package: "swift-mustache"),
                .product(name: "Yams", package: "Yams"),
            ],
            resources: [.embedInCode("Resources")],
            swiftSettings: cold
        ),
        .target(
            name: "Configuration",
            dependencies: ["Settings", .product(name: "Yams", package: "Yams")],
            swiftSettings: cold
        ),
        .target(
            name: "Gateway",
            dependencies: [
                "Settings", "Bytes", "HTTP", "HTTP2", "JOSE", "Reactor", "TLS", "Identity", "Policy", "Upstreams",
                "Telemetry", "Configuration", "Accounts", "Sessions", "Portal", "CLinux",
            ],
            swiftSettings: hot
        ),
        .executableTarget(
            name: "portcullis",
            dependencies: [
                "Gateway", "Configuration", "Settings", "JOSE", "Accounts", "Sessions", "Telemetry", "Reactor",
                "CLinux",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: cold
        ),
        .testTarget(name: "BytesTests", dependencies: ["Bytes"], swiftSettings: cold),
        .testTarget(name: "HTTPTests", dependencies: ["HTTP", "Bytes"], swiftSettings: cold),
        .testTarget(name: "HTTP2Tests", dependencies: ["HTTP2", "HTTP", "Bytes"], swiftSettings: cold),
        .testTarget(name: "JOSETests", dependencies: ["JOSE", "Bytes"], swiftSettings: cold),
        .testTarget(name: "ReactorTests", dependencies: ["Reactor", "Bytes"], swiftSettings: cold),
        .testTarget(
            name: "TLSTests",
            dependencies: ["TLS", "Reactor", "Bytes", "COpenSSL", "CLinux"],
            swiftSettings: cold
        ),
        .testTarget(
            name: "IdentityTests",
            dependencies: ["Identity", "Settings", "HTTP", "JOSE", "Bytes"],
            swiftSettings: cold
        ),
        .testTarget(
            name: "PolicyTests",
            dependencies: ["Policy", "Identity", "Settings", "HTTP", "JOSE", "Bytes"],
            swiftSettings: cold
        ),
        .testTarget(
            name: "UpstreamsTests",
            dependencies: ["Upstreams", "Settings", "Reactor", "Bytes"],
            swiftSettings: cold
        ),
        .testTarget(name: "TelemetryTests", dependencies: ["Telemetry", "Settings", "Bytes"], swiftSettings: cold),
        .testTarget(name: "AccountsTests", dependencies: ["Accounts", "Settings"], swiftSettings: cold),
        .testTarget(
            name: "SessionsTests",
            dependencies: [
                "Sessions", "Bytes", "Settings", "TLS", "CLinux", .product(name: "GRDB", package: "GRDB.swift"),
            ],
            swiftSettings: cold
        ),
        .testTarget(
            name: "PortalTests",
            dependencies: ["Portal", "Accounts", "Sessions", "Settings"],
            swiftSettings: cold
        ),
        .testTarget(
            name: "GatewayTests",
            dependencies: ["Gateway", "HTTP", "HTTP2", "Reactor", "Bytes"],
            swiftSettings: cold
        ),
        .testTarget(
            name: "ConfigurationTests",
            dependencies: ["Configuration", "Settings"],
            exclude: ["Cases"],
            swiftSettings: cold
        ),
    ]
)
