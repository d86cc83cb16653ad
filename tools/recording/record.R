# Do one job of `make record` whose cells are in R: R runs them, and tools/recording, in
# the same process, below keras3, records what comes of them.
Sys.setenv(RETICULATE_CHECK_REQUIRED_PACKAGES = "no")
record <- reticulate::import("tools.recording.record")

run_r <- function(job, names) {
  cells <- list2env(names, parent = globalenv())
  eval(parse(text = job$program, keep.source = FALSE), cells)
  version_of <- \(name) as.character(packageVersion(name))
  versions <- sapply(c("keras3", "reticulate"), version_of, simplify = FALSE)
  list(
    SEED = cells$SEED,
    model = cells$model,
    versions = c(list(R = as.character(getRversion())), versions)
  )
}

record$worker_main(run_r)
