// Functions of one fp64 number, for what is computed once a row or once a step.
#pragma once

double scalar_exp(double x);
double scalar_expm1(double x);
double scalar_log(double x);
double scalar_log1p(double x);
