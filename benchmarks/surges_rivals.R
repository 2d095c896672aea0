# Daily counts (CSV, a series a column, no day missing) judged by R's surveillance: a CSV of 0 and 1
# for each method, a series a column, a row for each day from the first that is judged.
#
#   Rscript surges_rivals.R COUNTS.csv FIRST_DAY OUT_FOLDER
suppressMessages(library(surveillance))
arguments <- commandArgs(trailingOnly = TRUE)
counts <- as.matrix(read.csv(arguments[1]))
range <- as.integer(arguments[2]):nrow(counts)

daily <- function(series) {
  sts(series, start = c(2016, 11), frequency = 365, epoch = seq(as.Date("2016-01-11"), by = "day",
    length.out = length(series)), epochAsDate = TRUE)
}
methods <- list(
  # The threshold is the quantile of a negative binomial at this detector's own alarm probability.
  farringtonFlexible = function(series) alarms(farringtonFlexible(daily(series), list(
    range = range, b = 1, w = 14, noPeriods = 1, pastWeeksNotIncluded = 7, alpha = 1e-4,
    trend = FALSE, thresholdMethod = "nbPlugin", glmWarnings = FALSE))),
  EARS_C1 = function(series) alarms(earsC(daily(series), list(
    range = range, method = "C1", alpha = 1e-4))),
  EARS_C2 = function(series) alarms(earsC(daily(series), list(
    range = range, method = "C2", alpha = 1e-4))),
  glrnb = function(series) {
    disProg <- create.disProg(week = seq_along(series), observed = series, state = 0 * series,
      freq = 365, start = c(2016, 11))
    algo.glrnb(disProg, list(range = range, c.ARL = 5, mu0 = list(S = 1), ret = "value"))$alarm
  }
)
for (name in names(methods)) {
  found <- sapply(seq_len(ncol(counts)), function(column) {
    tryCatch(as.integer(methods[[name]](counts[, column])), error = function(e) rep(NA, length(range)))
  })
  write.csv(found, file.path(arguments[3], paste0(name, ".csv")), row.names = FALSE)
}
