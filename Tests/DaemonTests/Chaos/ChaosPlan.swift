import TestBed
import Walk

/// What goes wrong in a run of chaos, and when; it follows from a seed.
struct ChaosPlan: Sendable {
    /// Something that goes wrong for a while.
    enum Trouble: Sendable, CustomStringConvertible {
        /// The daemon is killed, and starts again at the end.
        case killDaemon
        /// The daemon stands still for longer than an iterator lives.
        case freezeDaemon
        /// The cache's server is killed, and starts again at the end with what is on its disk.
        case killRedis
        /// The cache's server stands still.
        case freezeRedis
        /// The cache's server stands still with a batch on its way to it; at the end the daemon is killed and starts again, so
        /// many milliseconds before the server goes on.
        case restartAtFrozenRedis(Int)
        /// The replica falls behind, and takes the place of its primary at the end.
        case failOver
        /// The cache's server is killed, and starts again at the end with nothing.
        case emptyRedis
        /// The way to the stream service is like this.
        case streamWay(Proxy.Way)
        /// The way to the cache is like this.
        case cacheWay(Proxy.Way)
        /// One call to the stream service in three fails.
        case storm
        /// There is no space for the checkpoint.
        case fullDisk
        /// The clock of the daemon's machine is wrong by so many seconds.
        case wrongClock(Int)

        var description: String {
            switch self {
            case .killDaemon: "kill -9 of shardwalk"
            case .freezeDaemon: "SIGSTOP of shardwalk"
            case .killRedis: "kill -9 of redis-server"
            case .freezeRedis: "SIGSTOP of redis-server"
            case .restartAtFrozenRedis(let pause):
                "SIGSTOP of redis-server, kill -9 of shardwalk \(pause) ms before it goes on"
            case .failOver: "a failover to a replica that is behind"
            case .emptyRedis: "kill -9 of redis-server and loss of its data"
            case .streamWay(let way): "the way to the stream: \(way)"
            case .cacheWay(let way): "the way to the cache: \(way)"
            case .storm: "a storm of errors"
            case .fullDisk: "a full disk"
            case .wrongClock(let seconds): "a clock that is \(seconds) s off"
            }
        }

        /// What it is counted as: the same for all ways and all clocks.
        var kind: String {
            switch self {
            case .streamWay(let way), .cacheWay(let way):
                let mood = "\(way)".prefix { $0 != "(" }
                if case .streamWay = self { return "stream \(mood)" }
                return "cache \(mood)"
            case .wrongClock: return "wrong clock"
            case .restartAtFrozenRedis: return "restart at a frozen redis-server"
            default: return description
            }
        }
    }

    /// Some troubles at once.
    struct Step: Sendable {
        /// How long all is well before.
        let calm: Duration
        /// What goes wrong; each of them in another place.
        let troubles: [Trouble]
        /// How long it goes wrong.
        let length: Duration
    }

    private var generator: SeededGenerator

    /// The plan of a seed, the same on every machine: what a machine can't do is for the run to leave out.
    init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

    /// The next step; there is always one more.
    mutating func next() -> Step {
        var places = [
            daemonTrouble(), redisTrouble(), streamTrouble(), cacheTrouble(), .fullDisk,
            clockTrouble(),
        ]
        places.shuffle(using: &generator)
        // Some last for longer than a call or a batch may take.
        let isLong = number(0...9) == 0
        return Step(
            calm: .milliseconds(number(50...600)), troubles: Array(places.prefix(number(1...3))),
            length: .milliseconds(number(isLong ? 2_500...4_000 : 50...1_500)))
    }

    private mutating func daemonTrouble() -> Trouble {
        number(0...2) < 2 ? .killDaemon : .freezeDaemon
    }

    private mutating func redisTrouble() -> Trouble {
        switch number(0...6) {
        case 0: .killRedis
        case 1: .freezeRedis
        case 2: .restartAtFrozenRedis(number(0...1_500))
        case 3: .emptyRedis
        default: .failOver
        }
    }

    private mutating func streamTrouble() -> Trouble {
        number(0...2) == 0 ? .storm : .streamWay(way())
    }

    private mutating func cacheTrouble() -> Trouble { .cacheWay(way()) }

    private mutating func clockTrouble() -> Trouble {
        .wrongClock([-200_000, -4_000, 4_000, 90_000, 200_000][number(0...4)])
    }

    private mutating func way() -> Proxy.Way {
        switch number(0...4) {
        case 0: .silent
        case 1: .closed
        case 2: .slow(number(5...200))
        case 3: .trickling
        default: .cutting(number(100...20_000))
        }
    }

    private mutating func number(_ range: ClosedRange<Int>) -> Int {
        Int.random(in: range, using: &generator)
    }
}
