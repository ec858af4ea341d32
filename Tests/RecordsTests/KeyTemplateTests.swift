import Records
import Testing

@Suite struct KeyTemplateTests {
    @Test(arguments: [
        ("{Id}", ["Id"]),
        ("user:{pk}:{sk}", ["pk", "sk"]),
        ("{sk}{pk}{sk}", ["sk", "pk"]),
        ("{{{pk}}}", ["pk"]),
        ("a}}b{{c{pk}", ["pk"]),
        ("é{né}ü", ["né"]),
        ("{a b.c:d}", ["a b.c:d"]),
    ])
    func `a template names attributes, and is written as it was read`(
        text: String, attributes: [String]
    ) throws {
        let template = try KeyTemplate(text)
        #expect(template.attributes == attributes)
        #expect(template.description == text)
    }

    @Test func `names that only look alike are different attributes`() throws {
        #expect(try KeyTemplate("{\u{e9}}{e\u{301}}").attributes.count == 2)
    }

    /// The accent and the brace are one character to Swift, which is none that has to be doubled.
    @Test(arguments: ["{{\u{301}{pk}", "}}\u{301}{pk}", "{{{pk}}}\u{301}"])
    func `a brace before an accent is printed as it has to be written`(text: String) throws {
        let template = try KeyTemplate(text)
        #expect(template.description.unicodeScalars.elementsEqual(text.unicodeScalars))
        #expect(try KeyTemplate(template.description) == template)
    }

    @Test(arguments: [
        ("user:{pk", "the \"{\" at character 6 is not closed"),
        ("{pk{sk}", "the \"{\" at character 1 is not closed"),
        ("a{", "the \"{\" at character 2 is not closed"),
        ("pk}", "the \"}\" at character 3 closes nothing"),
        ("{pk}}", "the \"}\" at character 5 closes nothing"),
        ("a{}b", "the braces at character 2 hold no attribute's name"),
        ("", "no attribute is named"),
        ("plain", "no attribute is named"),
        ("{{pk}}", "no attribute is named"),
    ])
    func `a template that cannot be read is refused with the place`(text: String, problem: String) {
        let error = #expect(throws: InvalidKeyTemplate.self) { try KeyTemplate(text) }
        #expect(error?.description.hasPrefix("key template \"\(text)\": ") == true)
        #expect(error?.description.contains(problem) == true, "\(error?.description ?? "")")
    }

    @Test func `the default joins the key attributes with colons`() {
        #expect(KeyTemplate(joining: ["pk", "sk"]).description == "{pk}:{sk}")
        #expect(KeyTemplate(joining: ["Id"]).description == "{Id}")
    }

    @Test func `only key attributes may be named`() throws {
        let template = try KeyTemplate("user:{pk}:{email}")
        let error = #expect(throws: InvalidKeyTemplate.self) {
            try template.check(keyAttributes: ["pk", "sk"])
        }
        #expect(
            error?.description == """
                key template "user:{pk}:{email}": {email} is not a key attribute of the table: \
                it has {pk} and {sk}
                """)
        #expect(throws: Never.self) {
            try KeyTemplate("{sk}/{pk}").check(keyAttributes: ["pk", "sk"])
        }
    }

    @Test(arguments: [
        ("{pk}:{sk}", "a:7"), ("user:{pk}:{sk}!", "user:a:7!"), ("{{{sk}}}{pk}{pk}", "{7}aa"),
    ])
    func `a record's key follows the template`(text: String, key: String) throws {
        let page = try PageDecoder.decode(
            Array(
                #"""
                {"Records":[{"eventName":"REMOVE","dynamodb":{"SequenceNumber":"1",
                "Keys":{"sk":{"N":"7"},"\u0070k":{"S":"a"}}}}]}
                """#.utf8))
        let mapping = Mapping(key: try KeyTemplate(text))
        #expect(try mapping.changes(in: page).model == [key: nil])
    }
}
