# Do one job of `make record` whose code is the R notebook: R runs its exported cells,
# and tools/recording/train.py, in the same process, below keras3, records what comes of
# them.
Sys.setenv(RETICULATE_CHECK_REQUIRED_PACKAGES = "no")
syntax <- reticulate::import("tools.recording.syntax")
jobs <- reticulate::import("tools.recording.jobs")
train <- reticulate::import("tools.recording.train")

run_r <- function(job, options) {
  names <- list(SEED = job$seed, epochs = options$epochs, callbacks = options$callbacks)
  cells <- list2env(names, parent = globalenv())
  code <- syntax$r_code(jobs$R_NOTEBOOK)
  eval(parse(text = code, keep.source = FALSE), cells)
  version_of <- \(name) as.character(packageVersion(name))
  versions <- sapply(c("keras3", "reticulate"), version_of, simplify = FALSE)
  list(cells$model, NULL, c(list(R = as.character(getRversion())), versions))
}

train$main(run_r)
