import AWS
import Foundation
import TestBed
import Testing

@Suite struct EndpointTests {
    private struct Known: Decodable {
        let service: String
        let partition: String
        let region: String
        let fips: Bool
        let dualStack: Bool
        let url: String
    }

    @Test func `every region that botocore knows has its addresses and its partition`() async throws
    {
        let data = try await Python.run("Python/endpoints.py")
        let known = try JSONDecoder().decode([Known].self, from: data)
        #expect(known.count > 500)
        let services = Dictionary(
            uniqueKeysWithValues: Endpoint.Service.allCases.map { ("\($0)", $0) })
        for known in known {
            let service = try #require(services[known.service])
            let url = Endpoint.url(
                of: service, region: known.region, fips: known.fips, dualStack: known.dualStack)
            #expect(url == known.url, "\(known)")
            #expect(Partition(ofRegion: known.region).rawValue == known.partition, "\(known)")
        }
    }

    @Test func `a region that is not known is a commercial one`() {
        #expect(
            Endpoint.url(of: .streams, region: "xx-new-1")
                == "https://streams.dynamodb.xx-new-1.amazonaws.com")
    }

    @Test(arguments: ["", "us-east-1.example.com", "us-east-1/", "US-EAST-1", "-", "a b", "é"])
    func `what cannot be part of a host is no region`(region: String) {
        #expect(Endpoint.url(of: .tables, region: region) == nil)
    }
}
