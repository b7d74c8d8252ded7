package edgekd

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assumptions.assumeTrue
import org.junit.jupiter.api.Test
import java.io.File

/**
 * Damaged bundles and photos: a prediction or one of our exceptions, and nothing else, in a process that may die.
 *
 * The cases are those of Python's fuzz, and `tests/abuse/jvm.py` sends them. `make android-fuzz` runs 20,000 of each;
 * `-Dedgekd.fuzz=N` runs N, `-Dedgekd.fuzz.seed=7` others.
 */
class FuzzTest {
    @Test
    fun `damage is refused`() {
        val cases = System.getProperty("edgekd.fuzz", "200")
        val seed = System.getProperty("edgekd.fuzz.seed", "0")
        val jobs = System.getProperty("edgekd.fuzz.jobs", "1")
        run("--bundles=$cases", "--images=$cases", "--seed=$seed", "--jobs=$jobs", "--compare")
    }

    @Test
    fun `LiteRT is kept from files whose offsets lead out of memory`() {
        run("--seed=1", "--only", *FOLLOWED_OUT_OF_MEMORY)
    }

    @Test
    fun `LiteRT is kept from ports without names`() {
        run("--seed=2", "--only", "bundle:6140")
    }

    private fun run(vararg arguments: String) {
        val python = System.getProperty("edgekd.python")
        assumeTrue(python != null) { "give -Dedgekd.python=PATH, of edgekd's environment, which `make android` does" }
        val litert = System.getProperty("edgekd.litert.library")
        assumeTrue(litert != null) { "libLiteRt.so is not here: give -Dedgekd.litert.library=PATH" }
        val command =
            listOf(
                python,
                File(System.getProperty("edgekd.repository"), "tests/abuse/jvm.py").path,
                "--java=${ProcessHandle.current().info().command().get()}",
                "--classpath=${System.getProperty("java.class.path")}",
                "--option=-Dedgekd.litert.library=$litert",
                *arguments,
            )
        val process = ProcessBuilder(command).redirectErrorStream(true).start()
        process.inputStream.bufferedReader().forEachLine(::println)
        assertEquals(0, process.waitFor(), "the fuzz ends with this exit code; its output is above")
    }

    private companion object {
        /** They ended the process before `FileCheck` was there. */
        val FOLLOWED_OUT_OF_MEMORY = arrayOf("bundle:58", "bundle:1134", "bundle:2382", "bundle:3446", "bundle:3536")
    }
}
