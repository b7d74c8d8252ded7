package edgekd.benchmark

import org.openjdk.jmh.infra.BenchmarkParams
import org.openjdk.jmh.infra.IterationParams
import org.openjdk.jmh.profile.InternalProfiler
import org.openjdk.jmh.results.AggregationPolicy
import org.openjdk.jmh.results.IterationResult
import org.openjdk.jmh.results.Result
import org.openjdk.jmh.results.ScalarResult
import java.io.File

private const val BYTES_A_KILOBYTE = 1024

/** Most memory that the process had so far, the native libraries' included, as Linux counts it (proc(5), VmHWM). */
class PeakMemory : InternalProfiler {
    override fun getDescription(): String = "peak of the process's resident memory"

    override fun beforeIteration(
        benchmark: BenchmarkParams,
        iteration: IterationParams,
    ) = Unit

    override fun afterIteration(
        benchmark: BenchmarkParams,
        iteration: IterationParams,
        result: IterationResult,
    ): Collection<Result<*>> {
        val line = File("/proc/self/status").readLines().first { it.startsWith("VmHWM") }
        val bytes = line.filter(Char::isDigit).toDouble() * BYTES_A_KILOBYTE
        return listOf(ScalarResult("peak memory", bytes, "bytes", AggregationPolicy.MAX))
    }
}
