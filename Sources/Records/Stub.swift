// Stands in until Mapping.swift lands, which replaces this file.
package struct MappingFailure: Error {}
package struct Mapping: Sendable {
    package func changes(in page: Page) throws(MappingFailure) -> ChangeSet {
        throw MappingFailure()
    }
}
