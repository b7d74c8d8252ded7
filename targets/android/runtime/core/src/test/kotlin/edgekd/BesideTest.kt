package edgekd

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit
import java.util.concurrent.atomic.AtomicBoolean

/** A check beside the work that it is of: both end, and the failure that counts is thrown as it is. */
class BesideTest {
    @Test
    fun `both run at once where there are several processors`() {
        if (Runtime.getRuntime().availableProcessors() == 1) return
        val working = CountDownLatch(1)
        val checked = CountDownLatch(1)
        val met =
            beside({ working.await(1, TimeUnit.MINUTES).also { checked.countDown() } }) {
                working.countDown()
                checked.await(1, TimeUnit.MINUTES)
            }
        assertEquals(true to true, met)
    }

    @Test
    fun `the exception of the check is thrown itself`() {
        val damage = ImageException("the image is damaged", "take it again")
        val thrown = assertThrows(ImageException::class.java) { beside({ throw damage }) { 1 } }
        assertTrue(thrown === damage)
    }

    @Test
    fun `a failure of the work waits for the check and comes before its failure`() {
        val ended = AtomicBoolean()
        val thrown =
            assertThrows(IllegalStateException::class.java) {
                beside<Int, Int>({
                    Thread.sleep(50)
                    ended.set(true)
                    throw ImageException("the image is damaged", "take it again")
                }) { error("closed") }
            }
        assertEquals("closed", thrown.message)
        assertTrue(ended.get())
    }

    @Test
    fun `more checks than threads are all done`() {
        val numbers = (1..100).toList()
        val results =
            numbers
                .parallelStream()
                .map { number -> beside({ number * number }) { number } }
                .toList()
        assertEquals(numbers.map { it to it * it }, results)
    }
}
