package edgekd

import java.util.concurrent.ExecutionException
import java.util.concurrent.FutureTask
import java.util.concurrent.SynchronousQueue
import java.util.concurrent.ThreadPoolExecutor
import java.util.concurrent.TimeUnit

private const val IDLE_SECONDS = 10L

/**
 * Threads for the checks of a photo, as many as processors; they end when nothing was asked of them for a while.
 *
 * Not the common pool: with two processors that starts a thread for each task, which takes longer than some checks.
 */
private val HELPERS =
    ThreadPoolExecutor(
        0,
        Runtime.getRuntime().availableProcessors(),
        IDLE_SECONDS,
        TimeUnit.SECONDS,
        SynchronousQueue(),
        { task -> Thread(task, "edgekd-check").apply { isDaemon = true } },
        ThreadPoolExecutor.CallerRunsPolicy(),
    )

/**
 * What [work] gives on the calling thread, and what [check] gives meanwhile on another one where there is a processor for it.
 *
 * Both have ended when this returns or throws; where both fail, the failure is that of [work].
 */
internal fun <A, B> beside(
    check: () -> B,
    work: () -> A,
): Pair<A, B> {
    if (Runtime.getRuntime().availableProcessors() == 1) {
        val checked = check()
        return work() to checked
    }
    val task = FutureTask(check)
    HELPERS.execute(task)
    val done = runCatching(work)
    val checked = runCatching { resultOf(task) }
    return done.getOrThrow() to checked.getOrThrow()
}

private fun <B> resultOf(task: FutureTask<B>): B =
    try {
        task.get()
    } catch (failure: ExecutionException) {
        throw failure.cause ?: failure
    }
