import AWS
import Foundation
import Logging
import Testing

@Suite struct ServerClockTests {
    private static let host = Date(timeIntervalSince1970: 784_111_777)

    private let clock = ServerClock(
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, wall: { host })

    private func answer(_ seconds: Double, requestID: String? = "1") -> HTTPResponse {
        var headers = ["date": Self.header(Self.host + seconds)]
        headers["x-amzn-requestid"] = requestID
        return HTTPResponse(status: 200, headers: headers, body: [])
    }

    private static func header(_ date: Date) -> String {
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = .gmt
        formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
        return formatter.string(from: date)
    }

    @Test func `the date of an answer is read as it is written`() {
        let response = HTTPResponse(
            status: 200, headers: ["date": "Sun, 06 Nov 1994 08:49:37 GMT"], body: [])
        #expect(response.date == Self.host)
        for month in 0..<12 {
            let date = Self.host + Double(month) * 30.4 * 86_400
            let whole = Date(timeIntervalSince1970: date.timeIntervalSince1970.rounded(.down))
            let headers = ["date": Self.header(whole)]
            #expect(HTTPResponse(status: 200, headers: headers, body: []).date == whole)
        }
    }

    @Test(arguments: [
        "", "now", "Sun, 06 Nov 1994 08:49:37 CET", "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun, 06 Nov 1994 GMT", "Sun, 06 Foo 1994 08:49:37 GMT",
    ])
    func `any other date is none`(text: String) {
        #expect(HTTPResponse(status: 200, headers: ["date": text], body: []).date == nil)
    }

    @Test(arguments: [0, 30, -60, 60])
    func `small differences are left alone`(seconds: Double) {
        clock.observe(answer(seconds))
        #expect(clock.now() == Self.host)
    }

    @Test(arguments: [61, -70, 86_400, -1_000_000_000])
    func `great differences are followed, and so is their end`(seconds: Double) {
        clock.observe(answer(seconds))
        #expect(clock.now() == Self.host + seconds)
        clock.observe(answer(seconds + 5))
        #expect(clock.now() == Self.host + seconds + 5)
        clock.observe(answer(1))
        #expect(clock.now() == Self.host)
    }

    @Test func `what is not AWS's own answer says nothing about its clock`() {
        clock.observe(answer(3_600, requestID: nil))
        #expect(clock.now() == Self.host)
    }
}
