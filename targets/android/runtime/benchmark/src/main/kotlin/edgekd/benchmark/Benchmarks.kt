package edgekd.benchmark

import org.openjdk.jmh.annotations.Benchmark
import org.openjdk.jmh.annotations.BenchmarkMode
import org.openjdk.jmh.annotations.Fork
import org.openjdk.jmh.annotations.Level
import org.openjdk.jmh.annotations.Measurement
import org.openjdk.jmh.annotations.Mode
import org.openjdk.jmh.annotations.OutputTimeUnit
import org.openjdk.jmh.annotations.Param
import org.openjdk.jmh.annotations.Scope
import org.openjdk.jmh.annotations.Setup
import org.openjdk.jmh.annotations.State
import org.openjdk.jmh.annotations.TearDown
import org.openjdk.jmh.annotations.Warmup
import java.io.File
import java.util.concurrent.TimeUnit

/** The folder with `model.edgekd` and photos `SIZE-NUMBER.jpg`, which `benchmarks/peers/android.py` makes. */
private val folder = File(System.getProperty("edgekd.benchmark"))

private fun bundle(): ByteArray = File(folder, "model.edgekd").readBytes()

/** Time of a decision, from the bytes of a JPEG. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Fork(1)
@Warmup(iterations = 4, time = 1)
@Measurement(iterations = 4, time = 1)
open class Deciding {
    @Param("loop", "edgekd", "edgekd-without-quality", "loop-of-all-pixels")
    lateinit var contestant: String

    @Param("600x450", "4000x3000")
    lateinit var photo: String

    private lateinit var opened: Contestant
    private lateinit var photos: List<ByteArray>
    private var turn = 0

    @Setup(Level.Trial)
    fun open() {
        photos = folder.listFiles { file -> file.name.startsWith("$photo-") }!!.sorted().map { it.readBytes() }
        opened = contestant(contestant, bundle(), photo.split('x').minOf { it.toInt() })
    }

    @Benchmark
    fun decide(): Any = opened.decide(photos[turn++ % photos.size])

    @TearDown(Level.Trial)
    fun close() = opened.close()
}

/** Time to open a bundle in memory, and to close it. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Fork(1)
@Warmup(iterations = 4, time = 1)
@Measurement(iterations = 4, time = 1)
open class Opening {
    @Param("loop", "edgekd")
    lateinit var contestant: String

    private lateinit var bundle: ByteArray

    @Setup(Level.Trial)
    fun read() {
        bundle = bundle()
    }

    @Benchmark
    fun open(): Any = contestant(contestant, bundle, shorter = 0).also(Contestant::close)
}
