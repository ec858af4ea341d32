/// Where AWS's services are reached.
///
/// Source: the endpoint rule sets and the partitions of botocore 1.43, which the tests compare with.
package enum Endpoint {
    /// The services that shardwalk calls.
    package enum Service: String, CaseIterable, Sendable {
        /// The tables of DynamoDB.
        case tables = "dynamodb"
        /// The streams of these tables, which have hosts of their own.
        case streams = "streams.dynamodb"
        /// The Security Token Service.
        case tokens = "sts"
    }

    /// The address of a service in a region, such as `https://sts.eu-west-1.amazonaws.com`.
    ///
    /// Nil where `region` is no name of a region: it becomes part of a host, so nothing but lower-case
    /// letters, digits and hyphens may be in it. The hosts with `fips` have TLS by validated modules, those
    /// with `dualStack` also have IPv6 addresses.
    package static func url(
        of service: Service, region: String, fips: Bool = false, dualStack: Bool = false
    ) -> String? {
        guard isName(region) else { return nil }
        let partition = Partition(ofRegion: region)
        var name = service.rawValue
        // GovCloud's plain hosts are validated ones.
        if fips && (dualStack || partition != .usGov) { name += "-fips" }
        if dualStack && partition.hyphenatesStreams {
            name = name.replacing("streams.dynamodb", with: "streams-dynamodb")
        }
        return
            "https://\(name).\(region).\(dualStack ? partition.dualStackSuffix : partition.suffix)"
    }

    private static func isName(_ region: String) -> Bool {
        let isPlain = region.utf8.allSatisfy { byte in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || byte == UInt8(ascii: "-")
        }
        return isPlain && (1...63).contains(region.utf8.count) && !region.hasPrefix("-")
            && !region.hasSuffix("-")
    }
}

/// A part of AWS that shares no accounts and no hosts with the others.
package enum Partition: String, CaseIterable, Sendable {
    /// The commercial regions.
    case aws
    /// China.
    case china = "aws-cn"
    /// The European Sovereign Cloud.
    case europe = "aws-eusc"
    /// An isolated partition of the United States.
    case iso = "aws-iso"
    /// Another isolated partition of the United States.
    case isoB = "aws-iso-b"
    /// An isolated partition of the United Kingdom.
    case isoE = "aws-iso-e"
    /// A third isolated partition of the United States.
    case isoF = "aws-iso-f"
    /// The government of the United States.
    case usGov = "aws-us-gov"

    /// The partition that a region lies in; names that are not known are commercial.
    package init(ofRegion region: String) {
        self =
            Self.allCases.first { partition in
                partition.regionPrefix.map(region.hasPrefix) ?? false
            } ?? .aws
    }

    private var regionPrefix: String? {
        switch self {
        case .aws: nil
        case .china: "cn-"
        case .europe: "eusc-"
        case .iso: "us-iso-"
        case .isoB: "us-isob-"
        case .isoE: "eu-isoe-"
        case .isoF: "us-isof-"
        case .usGov: "us-gov-"
        }
    }

    fileprivate var suffix: String {
        switch self {
        case .aws, .usGov: "amazonaws.com"
        case .china: "amazonaws.com.cn"
        case .europe: "amazonaws.eu"
        case .iso: "c2s.ic.gov"
        case .isoB: "sc2s.sgov.gov"
        case .isoE: "cloud.adc-e.uk"
        case .isoF: "csp.hci.ic.gov"
        }
    }

    fileprivate var dualStackSuffix: String {
        switch self {
        case .aws, .usGov: "api.aws"
        case .china: "api.amazonwebservices.com.cn"
        case .europe: "api.amazonwebservices.eu"
        case .iso: "api.aws.ic.gov"
        case .isoB: "api.aws.scloud"
        case .isoE: "api.cloud-aws.adc-e.uk"
        case .isoF: "api.aws.hci.ic.gov"
        }
    }

    /// Whether the dual-stack hosts of streams begin with `streams-dynamodb`, not `streams.dynamodb`.
    fileprivate var hyphenatesStreams: Bool { [.aws, .china, .usGov].contains(self) }
}
